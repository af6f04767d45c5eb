/**
 * Evaluation on held-out problems: both accuracies, the four transitions, format and length, by family. The draws come
 * from a stream of their own, the same for every step, so that two evaluations differ by the weights alone.
 */
import type { Policy } from "../policy/policy";
import { meanOf as mean } from "../srpo/advantage";
import { transitionShares } from "./metrics";
import type { DataParallel } from "./parallel/parallel";
import { streamStep } from "./randomStreams";
import type { EvaluationRecord, SampleScore, Stage } from "./records";
import { encodeProblem, sampleRows } from "./rollout";
import { scoreSample } from "./score";
import type { Settings } from "./settings";
import type { TrainingProblem } from "./trainingProblem";
import { textOf, tokenCounter } from "./transcript";

export interface EvaluationOptions {
  /** Take the most likely token instead of sampling. */
  readonly greedy?: boolean;
  /** Samples a problem, default 1. */
  readonly samples?: number;
  /** Problems sampled together, default 64. */
  readonly batch?: number;
  /** Replicas that share the problems; the result is the same. */
  readonly parallel?: DataParallel | null;
  /** @param tokens sampled so far */
  readonly onProgress?: (done: number, total: number, tokens: number) => void;
}

/** @throws Error when the scorer fails: an evaluation with holes would not be comparable. */
export async function evaluate(
  policy: Policy,
  problems: readonly TrainingProblem[],
  settings: Settings,
  at: { readonly step: number; readonly stage: Stage },
  options: EvaluationOptions = {},
): Promise<EvaluationRecord> {
  const { greedy = false, samples = 1, batch = 64, parallel = null, onProgress } = options;
  const scores: { readonly family: string; readonly score: SampleScore }[] = [];
  const count = tokenCounter(policy);
  // No number of an evaluation is a reward, and terms of one's own may fail or need a reward file.
  const scoring = { ...settings, reward: { ...settings.reward, customTerms: [] } };
  let tokens = 0;
  for (let start = 0; start < problems.length; start += batch) {
    const chunk = problems.slice(start, start + batch);
    const rows = await sampleRows(
      policy,
      chunk.map((problem) => encodeProblem(policy, problem)),
      null,
      {
        groupSize: samples,
        step: streamStep("evaluate", start / batch),
        settings: { ...settings, temperature: greedy ? 0 : settings.temperature },
      },
      parallel,
    );
    chunk.forEach((problem, index) =>
      rows[index]?.forEach((row) => {
        const score = scoreSample(textOf(policy, row.tokens, settings.rollout.stopStrings), problem, scoring, count);
        if ("error" in score) throw new Error(`evaluate: ${problem.id}: ${score.error}`);
        scores.push({ family: problem.family, score });
        tokens += row.tokens.length;
      }),
    );
    onProgress?.(Math.min(problems.length, start + batch), problems.length, tokens);
  }
  const all = scores.map(({ score }) => score);
  const families = [...new Set(scores.map(({ family }) => family))];
  const accuracies = (of: readonly SampleScore[]): { first: number; refined: number } => ({
    first: mean(of.map((score) => Number(score.firstRight))),
    refined: mean(of.map((score) => Number(score.refinedRight))),
  });
  return {
    step: at.step,
    stage: at.stage,
    problems: problems.length,
    samples: all.length,
    accuracyFirst: accuracies(all).first,
    accuracyRefined: accuracies(all).refined,
    wellFormed: mean(all.map((score) => Number(score.wellFormed))),
    meanLength: mean(all.map((score) => score.facts.lengthTokens)),
    transitions: transitionShares(all),
    byFamily: Object.fromEntries(
      families.map((family) => [
        family,
        accuracies(scores.filter((s) => s.family === family).map(({ score }) => score)),
      ]),
    ),
  };
}
