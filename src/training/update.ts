/**
 * Phase 4, update, for both stages.
 *
 * GRPO (DeepSeekMath eq. 3, with SRPO's clamps): the loss is Σ w·(surrogate + β·KL estimate) over response tokens, both
 * chosen by the settings; the weights w carry the aggregation (src/srpo/aggregation.ts) and are those of the whole
 * step.
 *
 * With one inner epoch the old log-probabilities are those of the current forward pass: the ratio is 1 everywhere,
 * nothing is ever clipped, and since the advantages of a group add up to 0 the reported loss is about 0.
 * "loss 0, clip 0" is therefore how a healthy on-policy run looks: the gradient, A·∇log π, is not 0; watch grad_norm
 * and the rewards instead. With more epochs the log-probabilities of the first forward are kept as the old ones.
 * The rollout's own log-probabilities do not serve as the old ones: the sampler's cached decode and the packed forward
 * agree up to rounding, and less closely with an f16 cache. The tokens therefore come from a policy slightly different
 * from the one being trained, and no ratio corrects for it: the update is on-policy except for `samplerKl`, which costs
 * nothing to measure where there is no KL term (the kernel's reference input is free then). The tiny test policy shows
 * 1e-13 with an f32 cache and 1e-8 with f16; a value comparable to the KL of a step, 1e-3 say, means that
 * `rollout.cache` should be f32.
 *
 * SFT: negative log-likelihood, mean over all response tokens of the batch; the prompt carries no loss.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Policy } from "../policy/policy";
import { POLICY_LOSS_STATS, type PolicyLossOptions } from "../tensor/policyLossOptions";
import { DisposalScope } from "./disposalScope";
import { ofBatches, ofSampler, policyLoss, sftLoss } from "./loss";
import { type MicroBatch, microBatches, sampledLogprobs, type TrainingRow, tokenCount } from "./microBatch";
import { optimiserStep, responseLogprobs, type StepOptions } from "./optimiserStep";
import { type DataParallel, parallelStep } from "./parallel/parallel";
import type { ReferencePolicy } from "./reference";

export interface UpdateOptions extends StepOptions {
  /** Compute micro-batches in parallel; null: one after the other on the policy's own backend. */
  readonly parallel?: DataParallel | null;
  /** Responses in one forward and backward pass. */
  readonly microBatchRows: number;
}

/** Means over the tokens trained on; `loss` as the trainers report it. */
export interface UpdateResult {
  readonly loss: number;
  readonly gradNorm: number;
  readonly tokens: number;
  /** Mean k3 against the reference policy; 0 while β = 0. */
  readonly referenceKl: number;
  /** Mean k3 of this policy, before its update, against what the rollout sampled with; null beside a KL term. */
  readonly samplerKl: number | null;
  readonly clippedLow: number;
  readonly clippedHigh: number;
  /** Optimiser updates made (inner epochs). */
  readonly updates: number;
}

export interface PolicyUpdateOptions extends UpdateOptions {
  readonly loss: PolicyLossOptions;
  /** Inner epochs over the same rollout. */
  readonly epochs: number;
  /** The frozen policy of the KL term; needed exactly when `loss.beta` > 0. */
  readonly reference: ReferencePolicy | null;
}

/**
 * One GRPO step. One read-back for each inner epoch. The numbers returned are the last epoch's, `referenceKl` the
 * first's.
 * @throws StepRefused when a loss or gradient is not finite. With several epochs, those before the refused one stand.
 */
export async function policyUpdate(
  policy: Policy,
  rows: readonly TrainingRow[],
  options: PolicyUpdateOptions,
): Promise<UpdateResult> {
  if (options.loss.beta > 0 && options.reference === null)
    throw new Error("policyUpdate: a KL weight above 0 needs a reference policy");
  const batches = microBatches(rows, options.microBatchRows);
  const scope = new DisposalScope();
  try {
    const reference = options.loss.beta > 0 ? options.reference : null;
    const epochs = options.parallel
      ? await parallelEpochs(options.parallel, batches, reference, options)
      : await ownEpochs(policy, batches, reference, options, scope);
    const results = epochs.map(
      ({ stats, gradNorm }, epoch): UpdateResult => ({ ...policyMeans(stats), gradNorm, updates: epoch + 1 }),
    );
    const last = results.at(-1);
    if (last === undefined) throw new Error(`policyUpdate: epochs is ${options.epochs}; expected at least 1`);
    const measured = results[0]?.referenceKl ?? 0;
    if (options.loss.beta > 0) return { ...last, referenceKl: measured };
    return { ...last, referenceKl: 0, samplerKl: ofSampler(policy.backend, batches) === null ? null : measured };
  } finally {
    scope.dispose();
  }
}

type Epoch = Awaited<ReturnType<typeof optimiserStep>>;

/**
 * Inner epochs on the policy's own backend; the log-probabilities of the first forward stay on the device as the old
 * ones.
 */
async function ownEpochs(
  policy: Policy,
  batches: readonly MicroBatch[],
  reference: ReferencePolicy | null,
  options: PolicyUpdateOptions,
  scope: DisposalScope,
): Promise<Epoch[]> {
  const referenceLogprobs =
    reference === null
      ? []
      : responseLogprobs(reference.policy, batches, { ...options, adapter: reference.adapter }, scope);
  const old: Tensor[] = [];
  const results: Epoch[] = [];
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const kept: Tensor[] = [];
    const keep = epoch === 0 && options.epochs > 1 ? { scope, logprobs: kept } : null;
    const loss = policyLoss(
      policy.backend,
      options.loss,
      ofBatches(old),
      ofBatches(referenceLogprobs) ?? ofSampler(policy.backend, batches),
    );
    results.push(await optimiserStep(policy, batches, { ...options, updates: options.updates + epoch }, loss, keep));
    old.push(...kept);
  }
  return results;
}

/** The same over replicas: log-probabilities travel as plain arrays. */
async function parallelEpochs(
  parallel: DataParallel,
  batches: readonly MicroBatch[],
  reference: ReferencePolicy | null,
  options: PolicyUpdateOptions,
): Promise<Epoch[]> {
  const referenceLogprobs =
    reference === null
      ? []
      : await parallel.referenceLogprobs(
          reference,
          batches.map((rows) => ({ rows, temperature: options.temperature })),
          options.features,
        );
  const sampled = ofSampler(parallel.policy.backend, batches) !== null;
  const sampler = batches.map((rows) => (sampled ? sampledLogprobs(rows, tokenCount(rows)) : null));
  let old: readonly (Float32Array | null)[] = [];
  const results: Epoch[] = [];
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    const keep = epoch === 0 && options.epochs > 1;
    const { logprobs, ...result } = await parallelStep(
      parallel,
      batches,
      { ...options, updates: options.updates + epoch },
      (index) => ({
        kind: "policy",
        options: options.loss,
        old: old[index] ?? null,
        reference: referenceLogprobs[index] ?? sampler[index] ?? null,
      }),
      keep,
    );
    if (keep) old = logprobs;
    results.push(result);
  }
  return results;
}

function policyMeans(stats: readonly Float32Array[]): Omit<UpdateResult, "gradNorm" | "updates"> {
  const sum = (name: (typeof POLICY_LOSS_STATS)[number]): number =>
    stats.reduce((total, values) => total + (values[POLICY_LOSS_STATS.indexOf(name)] ?? 0), 0);
  const tokens = sum("rows");
  const share = (name: (typeof POLICY_LOSS_STATS)[number]): number => (tokens > 0 ? sum(name) / tokens : 0);
  return {
    loss: sum("loss"),
    tokens,
    referenceKl: share("refKl"),
    samplerKl: null,
    clippedLow: share("clippedLow"),
    clippedHigh: share("clippedHigh"),
  };
}

/** One SFT step: Σ −w·logprob with each row's weight. @throws StepRefused when the loss or gradient is not finite. */
export async function sftUpdate(
  policy: Policy,
  rows: readonly TrainingRow[],
  options: UpdateOptions,
): Promise<UpdateResult> {
  const batches = microBatches(rows, options.microBatchRows);
  const { stats, gradNorm } = options.parallel
    ? await parallelStep(options.parallel, batches, options, () => ({ kind: "likelihood" }))
    : await optimiserStep(policy, batches, options, sftLoss(policy.backend));
  return {
    loss: stats.reduce((sum, [value]) => sum + (value ?? 0), 0),
    gradNorm,
    tokens: tokenCount(rows),
    referenceKl: 0,
    samplerKl: null,
    clippedLow: 0,
    clippedHigh: 0,
    updates: 1,
  };
}
