/**
 * Phase 1, rollout: P prompts × G samples, the prompt computed once a group (src/policy/generation/generate.ts).
 * The draws depend on (seed, stream position, row, position) and on nothing else.
 */
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import type { DataParallel } from "./parallel/parallel";
import type { Settings } from "./settings";
import type { SampledRow } from "./state";
import type { TrainingProblem } from "./trainingProblem";

export interface SamplingOptions {
  readonly groupSize: number;
  /** Position in the random streams (randomStreams.ts). */
  readonly step: number;
  /** A temperature of 0 means greedy. */
  readonly settings: Pick<Settings, "temperature" | "maxNewTokens" | "seed" | "rollout">;
}

/** The problem as the policy reads it: chat template, image patches, positions. */
export function encodeProblem(
  policy: Policy,
  { question, picture, morePictures = [] }: Pick<TrainingProblem, "question" | "picture" | "morePictures">,
): EncodedPrompt {
  return policy.encodePrompt(question, [picture, ...morePictures]);
}

/**
 * → one list of rows a prompt.
 * @param parallel replicas that share the prompts; null: the policy alone, with the same result
 */
export async function sampleRows(
  policy: Policy,
  prompts: readonly EncodedPrompt[],
  features: FeatureBank | null,
  options: SamplingOptions,
  parallel: DataParallel | null,
): Promise<SampledRow[][]> {
  const {
    groupSize,
    step,
    settings: { temperature, maxNewTokens, seed, rollout },
  } = options;
  const generation = {
    groupSize,
    temperature: lossTemperature(temperature),
    greedy: temperature === 0,
    maxNewTokens,
    seed,
    step,
    ...rollout,
  };
  const rows =
    parallel === null
      ? (await policy.generate(prompts, generation, features)).rows
      : await parallel.rollout(prompts, generation, features);
  const groups: SampledRow[][] = prompts.map(() => []);
  for (const { prompt, tokens, logprobs, entropies, allowed, finished } of rows) {
    groups[prompt]?.push({
      tokens: [...tokens],
      logprobs: [...logprobs],
      entropies: [...entropies],
      ...withAllowed([...allowed]),
      finished,
    });
  }
  return groups;
}

/** Less than the last digit of a log-probability in float32. */
const IMPERCEPTIBLE = 1e-7;

/** `allowed` of a sampled row, left out where it changes no log-probability: the rule with any trained policy. */
export function withAllowed(allowed: number[]): Pick<SampledRow, "allowed"> {
  return allowed.some((value) => value < -IMPERCEPTIBLE) ? { allowed } : {};
}

/** The temperature of log-probabilities: that of the sampling, and 1 for greedy sampling, where none is defined. */
export function lossTemperature(temperature: number): number {
  return temperature === 0 ? 1 : temperature;
}
