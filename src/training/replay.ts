/**
 * The buffer of selective sample replay (src/srpo/sampleReplay.ts): effective samples of the episode with the tokens,
 * log-probabilities and advantages that they were sampled with. A session keeps it in its snapshots.
 */
import type { Policy } from "../policy/policy";
import { type ReplayOptions, replayDraws } from "../srpo/sampleReplay";
import { randomUniform } from "../tensor/random";
import type { ProblemSource } from "./problemSource";
import { streamStep } from "./randomStreams";
import { type GroupRecord, scoreOf } from "./records";
import { promptOf, type SampledGroup } from "./sampledGroup";
import type { Settings } from "./settings";
import type { ReplayEntry } from "./state";
import { usableOrNull } from "./unusableProblem";

/** The entries of the episode that a step belongs to. */
export function episodeEntries(
  entries: readonly ReplayEntry[],
  { episode }: ReplayOptions,
  step: number,
): readonly ReplayEntry[] {
  const began = Math.floor(step / episode) * episode;
  return entries.filter((entry) => entry.step >= began);
}

/**
 * The effective samples of a step: scored, not filtered out, not masked, with an advantage other than 0.
 * @param records of the groups, in order, after phase normalise
 */
export function effectiveEntries(
  groups: readonly SampledGroup[],
  records: readonly GroupRecord[],
  { grpo }: Settings,
  step: number,
): ReplayEntry[] {
  return groups.flatMap(({ problem, prefix, rows }, index) => {
    const record = records[index];
    if (record === undefined || record.filtered === true) return [];
    return rows.flatMap((row, i) => {
      const sample = record.samples[i];
      const { advantage = 0 } = sample ?? {};
      const masked = grpo.maskTruncated && !row.finished;
      if (sample === undefined || scoreOf(sample) === null || advantage === 0 || masked) return [];
      return [{ problem: problem.id, prefix: [...prefix], row, advantage, step }];
    });
  });
}

/** The samples that fill a step up to `count`. */
export function drawnEntries(
  pool: readonly ReplayEntry[],
  options: ReplayOptions,
  count: number,
  seed: number,
  step: number,
): ReplayEntry[] {
  const advantages = pool.map(({ advantage }) => advantage);
  const stream = streamStep("replay", step);
  const draws = replayDraws(advantages, options, count, (draw) => randomUniform(seed, stream, draw, 0));
  return draws.flatMap((index) => pool[index] ?? []);
}

export interface ReplayedGroup {
  readonly sampled: SampledGroup;
  /** One a row. */
  readonly advantages: readonly number[];
  /** 0-based step that sampled it. */
  readonly step: number;
}

/**
 * The drawn samples as groups: those of one problem and step together, in the order of their first draw.
 * @param current groups of this step, whose prompts serve again
 */
export async function replayedGroups(
  policy: Policy,
  drawn: readonly ReplayEntry[],
  current: readonly SampledGroup[],
  source: ProblemSource,
): Promise<{ readonly groups: ReplayedGroup[]; readonly lost: number }> {
  const together = new Map<string, ReplayEntry[]>();
  for (const entry of drawn) {
    const key = JSON.stringify([entry.step, entry.problem, entry.prefix]);
    together.set(key, [...(together.get(key) ?? []), entry]);
  }
  const groups: ReplayedGroup[] = [];
  let lost = 0;
  for (const entries of together.values()) {
    const [first] = entries;
    if (first === undefined) continue;
    const { problem: id, prefix, step } = first;
    const known = current.find((group) => group.problem.id === id && sameTokens(group.prefix, prefix));
    const problem = known?.problem ?? (await usableOrNull(source.problemOf(id)));
    if (problem === null) {
      lost += entries.length;
      continue;
    }
    const prompt = known?.prompt ?? promptOf(policy, { problem, prefix });
    const rows = entries.map(({ row }) => row);
    groups.push({
      sampled: { problem, prefix, prompt, rows, rethought: [] },
      advantages: entries.map(({ advantage }) => advantage),
      step,
    });
  }
  return { groups, lost };
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i]);
}
