/**
 * One step's numbers under the names TRL and its neighbours log (records.ts). Averages are over samples with
 * a score; a sample whose scorer failed is in no average of rewards, only in the lengths.
 */
import { meanOf as mean, stdOf } from "../srpo/advantage";
import type { Transition } from "../srpo/types";
import type { GroupRecord, SampleRecord, SampleScore, StepMetrics } from "./records";
import type { UpdateResult } from "./update";

export function scoreOf(sample: SampleRecord): SampleScore | null {
  return sample.score !== undefined && !("error" in sample.score) ? sample.score : null;
}

/** Share of each transition among all scores; they add up to the share of responses with two answers. */
export function transitionShares(scores: readonly SampleScore[]): Record<Transition, number> {
  const share = (transition: Transition): number =>
    mean(scores.map((score) => (score.transition === transition ? 1 : 0)));
  return { kept: share("kept"), fixed: share("fixed"), stillWrong: share("stillWrong"), spoilt: share("spoilt") };
}

/** What the sampled groups show, whether or not an update follows. */
export function groupMetrics(groups: readonly GroupRecord[]): Omit<StepMetrics, "step" | "stage"> {
  const samples = groups.flatMap((group) => group.samples);
  const scores = samples.map(scoreOf).filter((score) => score !== null);
  const shares = transitionShares(scores);
  const tokens = samples.reduce((sum, sample) => sum + sample.tokens.length, 0);
  const termMean = (
    term: "format" | "accuracy" | "effectiveness" | "reflectionFormat" | "lengthWeighted" | "total",
  ): number => mean(scores.map((score) => score.terms[term]));
  return {
    reward: termMean("total"),
    reward_std: stdOf(scores.map((score) => score.terms.total)),
    "reward/group_std": mean(groups.map((group) => group.normalised?.std ?? 0)),
    "rewards/format": termMean("format"),
    "rewards/accuracy": termMean("accuracy"),
    "rewards/effectiveness": termMean("effectiveness"),
    "rewards/reflectionFormat": termMean("reflectionFormat"),
    "rewards/length": termMean("lengthWeighted"),
    "accuracy/first": mean(scores.map((score) => Number(score.firstRight))),
    "accuracy/refined": mean(scores.map((score) => Number(score.refinedRight))),
    "transitions/kept": shares.kept,
    "transitions/fixed": shares.fixed,
    "transitions/stillWrong": shares.stillWrong,
    "transitions/spoilt": shares.spoilt,
    "format/wellFormed": mean(scores.map((score) => Number(score.wellFormed))),
    "completions/mean_length": mean(samples.map((sample) => sample.tokens.length)),
    "completions/reflection_length": mean(
      samples.map((sample) => sample.segments.filter((segment) => segment === "reflection").length),
    ),
    "completions/clipped_ratio": mean(samples.map((sample) => Number(!sample.finished))),
    entropy:
      tokens === 0 ? 0 : samples.reduce((sum, sample) => sum + sample.entropies.reduce((a, b) => a + b, 0), 0) / tokens,
    frac_reward_zero_std: mean(groups.map((group) => Number(group.normalised?.flat ?? false))),
    step_tokens: tokens,
  };
}

/** What an update adds to the metrics of its step. */
export function updateMetrics(
  update: UpdateResult,
): Pick<StepMetrics, "loss" | "grad_norm" | "clip_ratio/low_mean" | "clip_ratio/high_mean"> {
  return {
    loss: update.loss,
    grad_norm: update.gradNorm,
    "clip_ratio/low_mean": update.clippedLow,
    "clip_ratio/high_mean": update.clippedHigh,
  };
}
