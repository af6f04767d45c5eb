/**
 * Phase 4, update, for both stages.
 *
 * GRPO (DeepSeekMath eq. 3, with SRPO's clamps): the loss is Σ w·(surrogate + β·KL estimate) over response tokens, both
 * chosen by the settings; the weights w carry the aggregation (src/srpo/aggregation.ts) and are those of the whole
 * minibatch.
 *
 * A rollout is trained on in one or more minibatches, once or for several epochs, one optimiser update each.
 *
 * With one update a rollout the old log-probabilities are those of the current forward pass: the ratio is 1 everywhere,
 * nothing is ever clipped, and since the advantages of a group add up to 0 the reported loss is about 0.
 * "loss 0, clip 0" is therefore how a healthy on-policy run looks: the gradient, A·∇log π, is not 0; watch grad_norm
 * and the rewards instead.
 *
 * With more updates the old log-probabilities are those of the policy before the first one: a forward pass of their own
 * for every minibatch but the first, whose own forward gives them (verl computes all of them in a pass of their own).
 * The rollout's log-probabilities do not serve as the old ones: the sampler's cached decode and the packed forward
 * agree up to rounding, and less closely with an f16 cache. The tokens therefore come from a policy slightly different
 * from the one being trained, and no ratio corrects for it: the first update is on-policy except for `samplerKl`, which
 * costs nothing to measure where there is no KL term (the kernel's reference input is free then). The tiny test policy
 * shows 1e-13 with an f32 cache and 1e-8 with f16; a value comparable to the KL of a step, 1e-3 say, means that
 * `rollout.cache` should be f32. Where rows of earlier rollouts are among them (replay), what the rollouts recorded is
 * all there is, and serves as the old log-probabilities of every row.
 *
 * The sampler never draws a vision token (src/policy/checkpoint/config.ts): it draws the others with π/(1 − P(vision)).
 * Log-probabilities here, new, old, of the reference and as the rollouts recorded them, are over all tokens, as in TRL,
 * so that the ratio begins at 1. The difference, −log(1 − P(vision)), is in `samplerKl` alone: 0 unless the policy
 * leans to such tokens.
 *
 * A minibatch without a row to train on makes no update: AdamW's momentum alone would move the weights.
 *
 * SFT: negative log-likelihood, mean over all response tokens of the batch; the prompt carries no loss.
 */
import { refuseVisionTokens } from "../policy/checkpoint/visionTokens";
import type { Policy } from "../policy/policy";
import type { ObjectiveSettings } from "../srpo/objective";
import { type RatioStatistics, ratioStatistics } from "../srpo/ratioStatistics";
import { DeviceLostError } from "../tensor/backend";
import type { ParameterState } from "../tensor/parameters";
import { POLICY_LOSS_STATS } from "../tensor/policyLossOptions";
import { DisposalScope } from "./disposalScope";
import { ofSampler, sftLoss } from "./loss";
import { type MicroBatch, microBatches, recordedLogprobs, type TrainingRow, tokenCount } from "./microBatch";
import { kernelOptions } from "./objective";
import { optimiserStep, type StepOptions, StepRefused, type StepResult } from "./optimiserStep";
import { type DataParallel, parallelStep } from "./parallel/parallel";
import type { ReferencePolicy } from "./reference";
import { currentLogprobs, isLikelihood, type OldLogprobs, ownPasses, parallelPasses } from "./updatePasses";

export interface UpdateOptions extends StepOptions {
  /** Compute micro-batches in parallel; null: one after the other on the policy's own backend. */
  readonly parallel?: DataParallel | null;
  /** Responses in one forward and backward pass. */
  readonly microBatchRows: number;
}

/** Means over the updates of a step, or over the tokens trained on in them; `loss` as the trainers report it. */
export interface UpdateResult {
  readonly loss: number;
  readonly gradNorm: number;
  /** Tokens trained on, counted once an update. */
  readonly tokens: number;
  /** Mean KL estimate against the reference policy before the first update; null while β = 0 or without a token. */
  readonly referenceKl: number | null;
  /** Mean k3 of this policy, before its update, against what the rollout sampled with; null beside a KL term. */
  readonly samplerKl: number | null;
  readonly clippedLow: number;
  readonly clippedHigh: number;
  /** Mean of log π_old − log π over the tokens (k1, verl's ppo_kl); null where it is 0: one update without replay. */
  readonly ppoKl: number | null;
  /** Of the passes with old log-probabilities not their own; null where every ratio is 1: one update without replay. */
  readonly ratios: RatioStatistics | null;
  /** Loss of the rows trained by likelihood, weight included; null where there are none. */
  readonly likelihood: number | null;
  /** Optimiser updates made. */
  readonly updates: number;
}

export interface PolicyUpdateOptions extends UpdateOptions {
  readonly objective: ObjectiveSettings;
  /** Passes over the same rollout. */
  readonly epochs: number;
  /** The frozen policy of the KL term; needed exactly when the objective's β > 0. */
  readonly reference: ReferencePolicy | null;
  /** Old log-probabilities: of the policy before the step, or as the rollouts recorded them. "forward" by default. */
  readonly old?: "forward" | "rollout";
}

/**
 * One training step on sampled responses: all of its updates, or none. One read-back an update; where there are
 * several, one more for the old log-probabilities, and one of the weights and moments as they were (12 bytes a
 * trainable parameter, no dispatch), to go back to.
 * @param minibatches rows of each update, in order; the weights of their rows are those of their minibatch
 * @throws StepRefused when something is not finite; the weights and moments are those before the step, to the bit
 * @throws VisionTokenError for a response that holds a vision token
 */
export async function policyUpdate(
  policy: Policy,
  minibatches: readonly (readonly TrainingRow[])[],
  options: PolicyUpdateOptions,
): Promise<UpdateResult> {
  const { objective, epochs, microBatchRows, parallel = null } = options;
  if (objective.beta > 0 && options.reference === null)
    throw new Error("policyUpdate: a KL weight above 0 needs a reference policy");
  if (epochs < 1) throw new Error(`policyUpdate: epochs is ${epochs}; expected at least 1`);
  refuseUnreadable(policy, minibatches.flat());
  const batches = minibatches.filter((rows) => rows.length > 0).map((rows) => bothKinds(rows, microBatchRows));
  const reference = objective.beta > 0 ? options.reference : null;
  const loss = kernelOptions(objective);
  const scope = new DisposalScope();
  try {
    const passes =
      parallel === null
        ? ownPasses(policy, batches, reference, loss, options, scope)
        : await parallelPasses(parallel, batches, reference, loss, options);
    // Ratios differ from 1 after the first update, and at once for samples of earlier rollouts.
    const moved = epochs * batches.length > 1 || options.old === "rollout";
    const old = await oldLogprobs(policy, batches, options, scope);
    const results: PassResult[] = [];
    const before = epochs * batches.length > 1 ? await policy.parameters.state() : null;
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const [minibatch, rows] of batches.entries()) {
        const given = old[minibatch] ?? rows.map(() => null);
        const pass = { ...options, updates: options.updates + results.length };
        const result = await passes
          .run(minibatch, pass, given, moved)
          .catch((error: unknown) => takeBack(error, policy, before, results.length));
        // The first forward of the first minibatch sees the policy as it sampled.
        if (moved && results.length === 0 && options.old !== "rollout") old[minibatch] = result.logprobs;
        results.push({ ...result, batches: rows, old: given });
      }
    }
    return summary(results, objective, ofSampler(policy.backend, batches.flat()) !== null, moved);
  } finally {
    scope.dispose();
  }
}

interface PassResult extends StepResult {
  readonly batches: readonly MicroBatch[];
  readonly old: OldLogprobs;
}

/** Micro-batches of the objective's rows, then of the rows trained by likelihood. */
function bothKinds(rows: readonly TrainingRow[], size: number): MicroBatch[] {
  const likelihood = (row: TrainingRow): boolean => row.loss === "likelihood";
  return [
    ...microBatches(
      rows.filter((row) => !likelihood(row)),
      size,
    ),
    ...microBatches(rows.filter(likelihood), size),
  ];
}

/** Of every minibatch whose own first forward does not give them. */
async function oldLogprobs(
  policy: Policy,
  batches: readonly (readonly MicroBatch[])[],
  options: PolicyUpdateOptions,
  scope: DisposalScope,
): Promise<OldLogprobs[]> {
  if (options.old === "rollout")
    return batches.map((minibatch) => minibatch.map((rows) => recordedLogprobs(rows, tokenCount(rows), "rollout")));
  const [first = [], ...later] = batches;
  if (later.length === 0) return [first.map(() => null)];
  const read = await currentLogprobs(policy, later.flat(), options, scope);
  let at = 0;
  return [first.map(() => null), ...later.map((minibatch) => minibatch.map(() => read[at++] ?? null))];
}

/** Take back the updates that this step made before one failed. @throws error, always */
function takeBack(error: unknown, policy: Policy, before: ParameterState | null, updates: number): never {
  // With the device its weights are gone: they come back from a snapshot.
  if (updates === 0 || before === null || error instanceof DeviceLostError) throw error;
  policy.parameters.restore(before);
  if (!(error instanceof StepRefused)) throw error;
  const taken = updates === 1 ? "The update of this step before it was" : `The ${updates} updates before it were`;
  throw new StepRefused(`${error.message} ${taken} taken back.`, { cause: error });
}

/** @param sampled do the rows have the rollout's log-probabilities; @param moved can a ratio differ from 1 */
function summary(
  results: readonly PassResult[],
  objective: ObjectiveSettings,
  sampled: boolean,
  moved: boolean,
): UpdateResult {
  const updates = results.length;
  const mean = (value: (result: PassResult) => number): number =>
    updates === 0 ? 0 : results.reduce((sum, result) => sum + value(result), 0) / updates;
  const of = (result: PassResult, likelihood: boolean): Float32Array[] =>
    result.stats.filter((_, i) => isLikelihood(result.batches[i] ?? []) === likelihood);
  const sum = (all: readonly PassResult[], name: (typeof POLICY_LOSS_STATS)[number]): number =>
    all.reduce(
      (total, result) =>
        of(result, false).reduce((part, values) => part + (values[POLICY_LOSS_STATS.indexOf(name)] ?? 0), total),
      0,
    );
  const share = (all: readonly PassResult[], name: (typeof POLICY_LOSS_STATS)[number]): number => {
    const tokens = sum(all, "rows");
    return tokens > 0 ? sum(all, name) / tokens : 0;
  };
  const losses = (result: PassResult, likelihood: boolean): number =>
    of(result, likelihood).reduce((total, values) => total + (values[0] ?? 0), 0);
  // Before the first update the policy is the one that sampled: its first pass over each minibatch measures that only
  // for the first of them.
  const first = results.slice(0, 1);
  const measured = sum(first, "rows") > 0;
  const trainsLikelihood = results.some(({ batches }) => batches.some(isLikelihood));
  return {
    loss: mean((result) => losses(result, false)),
    gradNorm: mean(({ gradNorm }) => gradNorm),
    tokens: sum(results, "rows"),
    referenceKl: objective.beta > 0 && measured ? share(first, "refKl") : null,
    samplerKl: objective.beta > 0 || !sampled || !measured ? null : share(first, "refKl"),
    clippedLow: share(results, "clippedLow"),
    clippedHigh: share(results, "clippedHigh"),
    ppoKl: moved && updates > 0 ? share(results, "approxKl") : null,
    ratios: moved ? movedRatios(results, objective) : null,
    likelihood: trainsLikelihood ? mean((result) => losses(result, true)) : null,
    updates,
  };
}

/** Ratios of all passes whose old log-probabilities are not their own. */
function movedRatios(results: readonly PassResult[], objective: ObjectiveSettings): RatioStatistics | null {
  const rows = results.flatMap(({ batches, old, logprobs }) =>
    batches.flatMap((batch, i) => {
      const [now, before] = [logprobs[i], old[i]];
      if (!now || !before || isLikelihood(batch)) return [];
      let at = 0;
      return batch.map(({ tokens, advantage }) => {
        const [start, end] = [at, at + tokens.length];
        at = end;
        return { logp: now.subarray(start, end), oldLogp: before.subarray(start, end), advantage };
      });
    }),
  );
  return ratioStatistics(rows, objective);
}

/** No trainer could read these responses back. @throws VisionTokenError */
function refuseUnreadable({ config }: Policy, rows: readonly TrainingRow[]): void {
  for (const { tokens } of rows) refuseVisionTokens(config, tokens, "A response to train on");
}

/**
 * One SFT step: Σ −w·logprob with each row's weight.
 * @throws StepRefused when the loss or gradient is not finite, VisionTokenError for a response with a vision token
 */
export async function sftUpdate(
  policy: Policy,
  rows: readonly TrainingRow[],
  options: UpdateOptions,
): Promise<UpdateResult> {
  refuseUnreadable(policy, rows);
  const batches = microBatches(rows, options.microBatchRows);
  const { stats, gradNorm } = options.parallel
    ? await parallelStep(options.parallel, batches, options, () => ({ kind: "likelihood" }))
    : await optimiserStep(policy, batches, options, () => sftLoss(policy.backend));
  return {
    loss: stats.reduce((sum, [value]) => sum + (value ?? 0), 0),
    gradNorm,
    tokens: tokenCount(rows),
    referenceKl: null,
    samplerKl: null,
    clippedLow: 0,
    clippedHigh: 0,
    ppoKl: null,
    ratios: null,
    likelihood: null,
    updates: 1,
  };
}
