/**
 * The failure buffer of a session (src/srpo/failureBuffer.ts): first solutions of earlier steps, as tokens, after which
 * some groups of a later step begin.
 */
import type { Policy } from "../policy/policy";
import { type FailureOptions, failureDraws, failureGroups } from "../srpo/failureBuffer";
import { randomUniform } from "../tensor/random";
import { streamStep } from "./randomStreams";
import { type GroupRecord, scoreOf } from "./records";
import type { SampledGroup } from "./sampledGroup";
import type { FailureRecord } from "./state";
import { firstSolutionLength } from "./transcript";

export interface FailureDraw {
  readonly drawn: readonly FailureRecord[];
  /** Without those drawn. */
  readonly left: readonly FailureRecord[];
}

/** The entries that begin groups of a step of `groups` groups. */
export function drawFailures(
  entries: readonly FailureRecord[],
  options: FailureOptions,
  groups: number,
  seed: number,
  step: number,
): FailureDraw {
  const stream = streamStep("failures", step);
  const indices = failureDraws(entries, step, failureGroups(options, groups), options, (draw, what) =>
    randomUniform(seed, stream, draw, what === "kind" ? 0 : 1),
  );
  return {
    drawn: indices.flatMap((index) => entries[index] ?? []),
    left: entries.filter((_, index) => !indices.includes(index)),
  };
}

/** The entries with the first solutions of a step's groups behind them; wrong ones before right ones of a group. */
export function withFirstSolutions(
  policy: Policy,
  entries: readonly FailureRecord[],
  groups: readonly SampledGroup[],
  records: readonly GroupRecord[],
  { capacity, perGroup }: FailureOptions,
  step: number,
): FailureRecord[] {
  const added = groups.flatMap(({ problem, prefix, rows }, index) => {
    if (prefix.length > 0) return [];
    const solutions = rows.flatMap(({ tokens }, i): FailureRecord[] => {
      const sample = records[index]?.samples[i];
      const score = sample === undefined ? null : scoreOf(sample);
      const length = score === null ? null : firstSolutionLength(policy, tokens);
      if (score === null || length === null) return [];
      return [{ problem: problem.id, tokens: tokens.slice(0, length), right: score.firstRight, step }];
    });
    return solutions.sort((a, b) => Number(a.right) - Number(b.right)).slice(0, perGroup);
  });
  return [...entries, ...added].slice(-capacity);
}
