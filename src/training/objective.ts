/**
 * From normalised groups and settings to what the update needs: rows with weights and advantages, and the
 * numerics of the chosen trainer's loss (the table "Trainers' numerics": verl and EasyR1 clip twice, c = 3, and
 * clamp the log-ratio to ±20; OpenRLHF clamps only; TRL does neither; SRPO clamps the ratio at 3 before the clip).
 */

import type { EncodedPrompt } from "../policy/layers/packing";
import { rowWeights } from "../srpo/aggregation";
import type { AdvantagePreset } from "../srpo/types";
import type { PolicyLossOptions } from "../tensor/kernels";
import type { TrainingRow } from "./microBatch";
import type { GroupRecord } from "./records";
import type { Settings } from "./settings";

const NUMERICS: Readonly<Record<AdvantagePreset, Pick<PolicyLossOptions, "dualClip" | "logRatioClamp">>> = {
  srpo: { dualClip: Infinity, logRatioClamp: 20 },
  trl: { dualClip: Infinity, logRatioClamp: Infinity },
  verl: { dualClip: 3, logRatioClamp: 20 },
  easyr1: { dualClip: 3, logRatioClamp: 20 },
  openrlhf: { dualClip: Infinity, logRatioClamp: 20 },
};

export function lossOptions({ preset, clipLow, clipHigh, ratioMax, beta }: Settings["grpo"]): PolicyLossOptions {
  return { ...NUMERICS[preset], clipLow, clipHigh, ratioMax: preset === "srpo" ? ratioMax : Infinity, beta };
}

/**
 * Rows to train on. Weights are global: they count every row that was scored and not filtered, so that leaving out the
 * rows that cannot contribute (advantage 0 and no KL term: flat groups above all) changes nothing but the work.
 * A row whose scorer failed is no part of the loss.
 * @param prompts one a group, in order
 */
export function trainingRows(
  groups: readonly GroupRecord[],
  prompts: readonly EncodedPrompt[],
  settings: Settings,
): TrainingRow[] {
  const counted = groups.flatMap((group, index) => {
    const prompt = prompts[index];
    if (prompt === undefined) throw new Error(`trainingRows: group ${index} has no prompt`);
    return group.filtered === true
      ? []
      : group.samples
          .filter((sample) => sample.score !== undefined && !("error" in sample.score) && sample.tokenIds.length > 0)
          .map((sample) => ({
            prompt,
            tokens: Int32Array.from(sample.tokenIds),
            sampled: Float32Array.from(sample.logprobs),
            advantage: sample.advantage ?? 0,
          }));
  });
  const weights = rowWeights(
    counted.map((row) => row.tokens.length),
    settings.grpo.aggregation,
    { horizon: settings.maxNewTokens },
  );
  return counted
    .map((row, index) => ({ ...row, weight: weights[index] ?? 0 }))
    .filter((row) => settings.grpo.beta > 0 || row.advantage !== 0);
}
