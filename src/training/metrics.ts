/**
 * One step's numbers under the names TRL and its neighbours log (records.ts). Averages are over samples with
 * a score; a sample whose scorer failed is in no average of rewards, only in the lengths.
 */
import { meanOf as mean, stdOf } from "../srpo/advantage";
import type { RatioStatistics } from "../srpo/ratioStatistics";
import type { Transition } from "../srpo/types";
import {
  type GroupRecord,
  ratioBinKey,
  type SampleRecord,
  type SampleScore,
  type StepMetrics,
  scoreOf,
} from "./records";
import type { UpdateResult } from "./update";

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
  // The first solution of a group that begins after one is not of this step.
  const firstScores = groups.flatMap(({ prefix, samples: own }) => (prefix === undefined ? own.map(scoreOf) : []));
  const tokens = samples.reduce((sum, sample) => sum + sample.tokens.length, 0);
  return {
    ...scoreMetrics(scores),
    ...firstAccuracy(firstScores.filter((score) => score !== null)),
    "score/failed": samples.length - scores.length,
    "reward/group_std": mean(groups.map((group) => group.normalised?.std ?? 0)),
    "completions/mean_length": mean(samples.map((sample) => sample.tokens.length)),
    "completions/reflection_length": mean(
      samples.map((sample) => sample.segments.filter((segment) => segment === "reflection").length),
    ),
    ...(scores.some(({ rounds }) => rounds !== undefined)
      ? { "completions/rounds": mean(scores.map(({ rounds }) => rounds?.length ?? 0)) }
      : {}),
    "completions/clipped_ratio": mean(samples.map((sample) => Number(!sample.finished))),
    ...klMetrics(samples),
    entropy:
      tokens === 0 ? 0 : samples.reduce((sum, sample) => sum + sample.entropies.reduce((a, b) => a + b, 0), 0) / tokens,
    frac_reward_zero_std: mean(groups.map((group) => Number(group.normalised?.flat ?? false))),
    step_tokens: tokens,
  };
}

function firstAccuracy(scores: readonly SampleScore[]): Omit<StepMetrics, "step" | "stage"> {
  return scores.length === 0 ? {} : { "accuracy/first": mean(scores.map(({ firstRight }) => Number(firstRight))) };
}

/** Averages over scores; absent where there is none, since 0 would be a result. */
function scoreMetrics(scores: readonly SampleScore[]): Omit<StepMetrics, "step" | "stage"> {
  if (scores.length === 0) return {};
  const shares = transitionShares(scores);
  const termMean = (
    term: "format" | "accuracy" | "effectiveness" | "reflectionFormat" | "lengthWeighted" | "total",
  ): number => mean(scores.map((score) => score.terms[term]));
  return {
    reward: termMean("total"),
    reward_std: stdOf(scores.map((score) => score.terms.total)),
    "rewards/format": termMean("format"),
    "rewards/accuracy": termMean("accuracy"),
    "rewards/effectiveness": termMean("effectiveness"),
    "rewards/reflectionFormat": termMean("reflectionFormat"),
    "rewards/length": termMean("lengthWeighted"),
    ...(scores.some(({ terms }) => terms.overlong !== undefined)
      ? { "rewards/overlong": mean(scores.map(({ terms }) => terms.overlong ?? 0)) }
      : {}),
    ...customMeans(scores),
    "accuracy/refined": mean(scores.map((score) => Number(score.refinedRight))),
    "transitions/kept": shares.kept,
    "transitions/fixed": shares.fixed,
    "transitions/stillWrong": shares.stillWrong,
    "transitions/spoilt": shares.spoilt,
    "format/wellFormed": mean(scores.map((score) => Number(score.wellFormed))),
  };
}

/** Mean of each term of one's own, under `rewards/NAME`. */
function customMeans(scores: readonly SampleScore[]): Readonly<Record<`rewards/${string}`, number>> {
  const names = Object.keys(scores[0]?.terms.custom ?? {});
  return Object.fromEntries(
    names.map((name) => [`rewards/${name}`, mean(scores.map(({ terms }) => terms.custom?.[name] ?? 0))]),
  );
}

/** Of the KL penalty on the rewards, where there is one. */
function klMetrics(samples: readonly SampleRecord[]): Omit<StepMetrics, "step" | "stage"> {
  const penalties = samples.flatMap(({ klPenalty }) => klPenalty ?? []);
  return penalties.length === 0 ? {} : { "rewards/kl": -mean(penalties) };
}

/**
 * Metrics without numbers that are not finite (a KL estimate or a ratio may overflow where the loss does not read it).
 * JSON has none: in a log they would be null, and a snapshot that holds one could not be read back.
 */
export function finiteMetrics(metrics: StepMetrics): StepMetrics {
  const { step, stage, ...measured } = metrics;
  const finite = Object.entries(measured).filter(([, value]) => Number.isFinite(value));
  return { step, stage, ...Object.fromEntries(finite) };
}

/** What an update adds to the metrics of its step. What it did not measure is absent. */
export function updateMetrics(update: UpdateResult): Omit<StepMetrics, "step" | "stage"> {
  const { loss, gradNorm, clippedLow, clippedHigh, updates, referenceKl, samplerKl, ppoKl, ratios, likelihood } =
    update;
  return {
    loss,
    grad_norm: gradNorm,
    "clip_ratio/low_mean": clippedLow,
    "clip_ratio/high_mean": clippedHigh,
    updates,
    ...(referenceKl === null ? {} : { kl: referenceKl }),
    ...(samplerKl === null ? {} : { "kl/sampler": samplerKl }),
    ...(ppoKl === null ? {} : { ppo_kl: ppoKl }),
    ...(likelihood === null ? {} : { "loss/likelihood": likelihood }),
    ...(ratios === null ? {} : ratioMetrics(ratios)),
  };
}

function ratioMetrics({ histogram, min, max, gate }: RatioStatistics): Record<string, number> {
  return {
    "ratio/min": min,
    "ratio/max": max,
    ...(gate === null ? {} : { "ratio/gate": gate }),
    ...Object.fromEntries(histogram.map((share, bin) => [ratioBinKey(bin), share])),
  };
}
