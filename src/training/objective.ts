/**
 * From normalised groups and settings to what the update needs: rows with weights and advantages, and the loss kernel's
 * options, which are those of the objective in src/srpo.
 */
import type { EncodedPrompt } from "../policy/layers/packing";
import { rowWeights } from "../srpo/aggregation";
import { type ObjectiveSettings, objectiveOf } from "../srpo/objective";
import type { Surrogate } from "../srpo/surrogate";
import { TRAINER_NUMERICS } from "../srpo/trainers";
import type { PolicyLossOptions, SurrogateOptions } from "../tensor/policyLossOptions";
import type { TrainingRow } from "./microBatch";
import type { GroupRecord } from "./records";
import type { Settings } from "./settings";

/** The kernel's options for the objective of a run's settings. */
export function lossOptions(settings: Pick<Settings, "grpo" | "maxNewTokens">): PolicyLossOptions {
  return kernelOptions(objectiveOf(settings.grpo, settings.maxNewTokens));
}

/**
 * An objective of src/srpo/objective.ts as the kernel takes it. Aggregation is not part of it: it lies in the rows'
 * weights. While β is 0 the kernel's KL estimate is k3 whatever the settings name, because it then measures the
 * distance from the sampler (update.ts).
 */
export function kernelOptions(objective: ObjectiveSettings): PolicyLossOptions {
  const { level, logRatioLimit, beta, trainer } = objective;
  const { klExponentLimit, klValueLimit } = TRAINER_NUMERICS[trainer];
  const klEstimator = beta === 0 ? "k3" : objective.klEstimator;
  return {
    surrogate: kernelSurrogate(objective.surrogate),
    level,
    logRatioClamp: logRatioLimit ?? Infinity,
    beta,
    klEstimator,
    klExponentClamp: klExponentLimit ?? Infinity,
    klValueClamp: klValueLimit[klEstimator] ?? Infinity,
  };
}

function kernelSurrogate(surrogate: Surrogate): SurrogateOptions {
  if (surrogate.kind !== "clip") return surrogate;
  const { ratioMax, dualClip } = surrogate;
  return { ...surrogate, ratioMax: ratioMax ?? Infinity, dualClip: dualClip ?? Infinity };
}

/**
 * Rows to train on. Weights are global: they count every row that was scored and not filtered, so that leaving out the
 * rows that cannot contribute (advantage 0 and no KL term: flat groups above all) changes nothing but the work.
 * A row whose scorer failed is left out of the loss.
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
