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
import { type TrainingRow, tokenCount } from "./microBatch";
import { type GroupRecord, scoreOf } from "./records";
import type { Settings } from "./settings";

/** The objective of a run's settings. */
export function settingsObjective(settings: Pick<Settings, "grpo" | "maxNewTokens">): ObjectiveSettings {
  return objectiveOf(settings.grpo, settings.maxNewTokens);
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
 * Rows to train on, a list a minibatch: the groups are dealt to `grpo.updatesPerRollout` minibatches in order, each
 * group whole (verl's minibatches count prompts too, and TRL's shuffle rows; whole groups share their prompt's forward
 * pass). Weights count every row of the minibatch that was scored and not filtered, so that leaving out the rows that
 * cannot contribute (advantage 0 and no KL term: flat groups above all) changes nothing but the work.
 * A row whose scorer failed is left out of the loss; a truncated one too where `grpo.maskTruncated` says so: it counts
 * as a sequence of loss 0, as in TRL.
 * @param prompts one a group, in order
 */
export function trainingMinibatches(
  groups: readonly GroupRecord[],
  prompts: readonly EncodedPrompt[],
  settings: Settings,
): TrainingRow[][] {
  const kept = groups.flatMap((group, index) => {
    const prompt = prompts[index];
    if (prompt === undefined) throw new Error(`trainingMinibatches: group ${index} has no prompt`);
    return group.filtered === true ? [] : [{ group, prompt }];
  });
  const count = settings.grpo.updatesPerRollout;
  const start = (minibatch: number): number => Math.floor((minibatch * kept.length) / count);
  return Array.from({ length: count }, (_, i) => minibatchRows(kept.slice(start(i), start(i + 1)), settings));
}

interface PromptedGroup {
  readonly group: GroupRecord;
  readonly prompt: EncodedPrompt;
}

function minibatchRows(groups: readonly PromptedGroup[], settings: Settings): TrainingRow[] {
  const { grpo } = settings;
  const { beta } = settingsObjective(settings);
  const counted = groups.flatMap(({ group, prompt }) =>
    group.samples
      .filter((sample) => scoreOf(sample) !== null && sample.tokenIds.length > 0)
      .map((sample) => ({
        prompt,
        tokens: Int32Array.from(sample.tokenIds),
        rollout: Float32Array.from(sample.logprobs),
        sampled: Float32Array.from(sample.logprobs, (logprob, i) => logprob - (sample.allowed?.[i] ?? 0)),
        advantage: sample.advantage ?? 0,
        masked: grpo.maskTruncated && !sample.finished,
      }))
      // With replay a step consists of effective samples only.
      .filter(({ advantage }) => grpo.replay === null || advantage !== 0),
  );
  const weights = rowWeights(
    counted.map((row) => (row.masked ? 0 : row.tokens.length)),
    grpo.aggregation,
    { horizon: settings.maxNewTokens },
  );
  return counted
    .map((row, index) => ({ ...row, weight: weights[index] ?? 0 }))
    .filter(({ masked, advantage }) => !masked && (beta > 0 || advantage !== 0))
    .map(({ masked: _, ...row }): TrainingRow => row)
    .concat(rethoughtRows(groups, grpo.rethinking?.weight ?? 0));
}

/** Right continuations, trained by likelihood: their mean over tokens, times the weight. */
function rethoughtRows(groups: readonly PromptedGroup[], weight: number): TrainingRow[] {
  const kept = groups.flatMap(({ group, prompt }) =>
    (group.rethought ?? []).flatMap((sample) =>
      sample.kept === true ? [{ prompt, tokens: Int32Array.from(sample.tokenIds) }] : [],
    ),
  );
  const total = tokenCount(kept);
  return weight === 0 ? [] : kept.map((row) => ({ ...row, weight: weight / total, advantage: 1, loss: "likelihood" }));
}
