/**
 * Forced rethinking in a rollout (src/srpo/forcedRethinking.ts): some finished responses are cut after their first
 * solution and continued after the trigger.
 */
import type { EncodedPrompt } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import { keptRethinkings, type RethinkingOptions } from "../srpo/forcedRethinking";
import { openerOf } from "../srpo/reflectionForm";
import { randomUniform } from "../tensor/random";
import type { DataParallel } from "./parallel/parallel";
import { type GroupRecord, scoreOf } from "./records";
import { sampleRows, withAllowed } from "./rollout";
import type { Settings } from "./settings";
import type { RethoughtRow, SampledRow } from "./state";
import { firstSolutionLength } from "./transcript";

/** What of a group this needs. */
interface Sampled {
  readonly prompt: EncodedPrompt;
  readonly prefix: readonly number[];
  readonly rows: readonly SampledRow[];
}

/**
 * One list of continued responses a group; groups that begin after a prefix have none.
 * @throws TokenizerError where the tokenizer lacks a word of the trigger
 */
export async function rethink(
  policy: Policy,
  groups: readonly Sampled[],
  { fraction, trigger, maxTokens }: RethinkingOptions,
  settings: Settings,
  stream: number,
  parallel: DataParallel | null,
): Promise<RethoughtRow[][]> {
  const forced = [...policy.tokenizer.encodeText(trigger ?? openerOf(settings.reflectionForm))];
  const chosen = groups.flatMap(({ prompt, prefix, rows }, group) =>
    prefix.length > 0
      ? []
      : rows.flatMap((row, i) => {
          // Position 1: the sampler draws its tokens' numbers at the same step and row, from position 0 on.
          const drawn = randomUniform(settings.seed, stream, groups.length * rows.length + group * rows.length + i, 1);
          const cut = row.finished && drawn < fraction ? firstSolutionLength(policy, row.tokens) : null;
          return cut === null ? [] : [{ group, prompt, row, cut }];
        }),
  );
  const result: RethoughtRow[][] = groups.map(() => []);
  if (chosen.length === 0) return result;
  const continued = await sampleRows(
    policy,
    chosen.map(({ prompt, row, cut }) => policy.continuePrompt(prompt, [...row.tokens.slice(0, cut), ...forced])),
    null,
    { groupSize: 1, step: stream, settings: { ...settings, maxNewTokens: maxTokens } },
    parallel,
  );
  chosen.forEach(({ group, row, cut }, i) => {
    const [second] = continued[i] ?? [];
    if (second === undefined) return;
    const zeros = forced.map(() => 0); // the trigger was not sampled
    const [before, after] = [row.allowed ?? row.tokens.map(() => 0), second.allowed ?? second.tokens.map(() => 0)];
    const allowed = [...before.slice(0, cut), ...zeros, ...after];
    result[group]?.push({
      tokens: [...row.tokens.slice(0, cut), ...forced, ...second.tokens],
      logprobs: [...row.logprobs.slice(0, cut), ...zeros, ...second.logprobs],
      entropies: [...row.entropies.slice(0, cut), ...zeros, ...second.entropies],
      ...withAllowed(allowed),
      finished: second.finished,
      forcedFrom: cut,
      continuedFrom: cut + forced.length,
    });
  });
  return result;
}

/** The scored groups with their continued responses marked: kept or not. */
export function keptContinuations(groups: readonly GroupRecord[], options: RethinkingOptions): GroupRecord[] {
  return groups.map((group) => {
    if (group.rethought === undefined) return group;
    const right = group.rethought.map((sample) => scoreOf(sample)?.refinedRight === true);
    const kept = keptRethinkings(right, options);
    return { ...group, rethought: group.rethought.map((sample, i) => ({ ...sample, kept: kept[i] ?? false })) };
  });
}
