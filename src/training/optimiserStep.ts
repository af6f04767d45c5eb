/**
 * One optimiser step for any loss on response log-probabilities: forward and backward over micro-batches, gradients
 * accumulating in place, one AdamW pass, ONE read-back (the losses and the gradient's squares together).
 *
 * Refusal: the AdamW kernel writes nothing when the sum of squared gradients, or any weight or moment that it would
 * write, is not finite. A loss can be infinite while its gradient is finite (log 0 under a softmax), so the loss is
 * carried into the gradient as + 0·loss, which is NaN exactly when the loss is not finite and changes nothing
 * otherwise.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { type BatchCapacity, blankBatch, type FeatureBank, type PackedBatch } from "../policy/layers/packing";
import type { LogprobOptions } from "../policy/model";
import type { Policy } from "../policy/policy";
import type { Backend } from "../tensor/backend";
import type { AdamWResult } from "../tensor/parameters";
import { Tape } from "../tensor/tape";
import { DisposalScope } from "./disposalScope";
import type { BatchLimits, LargestBatch } from "./largestBatch";
import type { TokenLoss } from "./loss";
import { type MicroBatch, packItems, tokenCount } from "./microBatch";

export interface StepOptions {
  /** Temperature the log-probabilities are taken at (above 0). */
  readonly temperature: number;
  readonly trainVision: boolean;
  /** Image features of the rows' prompts, made once while the tower is frozen; null: computed with each micro-batch. */
  readonly features: FeatureBank | null;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  /** Optimiser updates of this stage so far. */
  readonly updates: number;
  /** How large the run's micro-batches become, so that their memory is taken once; without, it grows with them. */
  readonly largest?: { readonly batch: LargestBatch; readonly limits: BatchLimits };
  /** AdamW's second decay rate where it is not torch's 0.999. */
  readonly beta2?: number;
}

/** Something in a step was not finite, so it was refused: weights, moments and counters are those before the step. */
export class StepRefused extends Error {
  override readonly name = "StepRefused";
}

/** Memory for activations is allocated for the largest batch of a run, up to this many bytes. */
const FORESEEN_BYTES = 2 ** 30;

/** AdamW's constants, as torch and the trainers have them. */
const ADAMW = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** What an optimiser step gives back. */
export interface StepResult {
  /** Of the loss, one array a micro-batch. */
  readonly stats: readonly Float32Array[];
  /** Before clipping. */
  readonly gradNorm: number;
  /** Log-probabilities [R] of each micro-batch before the step, without padding; null where they were not kept. */
  readonly logprobs: readonly (Float32Array | null)[];
}

/**
 * @param lossOf the loss of each micro-batch
 * @param keepLogprobs read the log-probabilities back with the losses
 * @throws StepRefused
 */
export async function optimiserStep(
  policy: Policy,
  batches: readonly MicroBatch[],
  options: StepOptions,
  lossOf: (index: number) => TokenLoss,
  keepLogprobs = false,
): Promise<StepResult> {
  const results = new DisposalScope();
  try {
    const kept: Tensor[] = [];
    const keep = keepLogprobs ? { scope: results, logprobs: kept } : null;
    const capacity = capacityOf(policy, batches, options);
    policy.parameters.zeroGrad(policy.model.trainingSteps);
    const stats = batches.map((batch, index) => {
      if (index > 0) policy.backend.flush(); // the device computes one micro-batch while the host packs the next
      return results.own(backwardMicroBatch(policy, batch, index, options, lossOf(index), keep, capacity));
    });
    const { gradSquares, refused } = applyGradient(policy, options);
    results.own(gradSquares);
    results.own(refused);
    const [squares, mark, ...read] = await policy.backend.read([gradSquares, refused, ...stats, ...kept]);
    const losses = read.slice(0, stats.length).map((array) => Float32Array.from(array));
    const finite = finiteStep(losses, { squares, refused: mark }, options);
    const logprobs = read.slice(stats.length);
    return {
      ...finite,
      logprobs: batches.map((batch, index) => {
        const values = logprobs[index];
        return values === undefined ? null : Float32Array.from(values.subarray(0, tokenCount(batch)));
      }),
    };
  } finally {
    results.dispose();
  }
}

/** AdamW with the accumulated gradient; the caller disposes what tells what became of it. */
export function applyGradient(
  policy: Policy,
  options: Omit<StepOptions, "features" | "temperature" | "trainVision">,
): AdamWResult {
  return policy.parameters.adamw(
    {
      ...ADAMW,
      beta2: options.beta2 ?? ADAMW.beta2,
      learningRate: options.learningRate,
      weightDecay: options.weightDecay,
      maxGradNorm: options.maxGradNorm,
      updateCount: options.updates + 1,
    },
    policy.model.trainingSteps,
  );
}

/**
 * @param read what the update gave back (AdamWResult)
 * @throws StepRefused when a loss, the gradient, or a weight or moment after the update is not finite
 */
export function finiteStep(
  stats: Float32Array[],
  { squares, refused }: Readonly<Record<"squares" | "refused", ArrayLike<number> | undefined>>,
  { learningRate, weightDecay }: Pick<StepOptions, "learningRate" | "weightDecay">,
): { stats: Float32Array[]; gradNorm: number } {
  const gradNorm = Math.sqrt(squares?.[0] ?? Number.NaN);
  const loss = stats.reduce((sum, array) => sum + (array[0] ?? Number.NaN), 0);
  const advice = "The weights are those before it. Lower the learning rate, or go back to an earlier snapshot.";
  if (!Number.isFinite(gradNorm) || !Number.isFinite(loss))
    throw new StepRefused(
      `the step was refused: loss ${loss}, gradient norm ${gradNorm}; expected finite numbers. ${advice}`,
    );
  if (refused?.[0] !== 0)
    throw new StepRefused(
      `the step was refused: with learning rate ${learningRate} and weight decay ${weightDecay} a weight or an AdamW ` +
        `moment would not be finite (loss ${loss}, gradient norm ${gradNorm}). ${advice}`,
    );
  return { stats, gradNorm };
}

/**
 * Forward and backward of one micro-batch, recorded where the backend does that; its gradients are added to the
 * parameters'. → stats
 */
export function backwardMicroBatch(
  policy: Policy,
  batch: MicroBatch,
  index: number,
  options: Pick<StepOptions, "features" | "temperature" | "trainVision">,
  loss: TokenLoss,
  keep: { readonly scope: DisposalScope; readonly logprobs: Tensor[] } | null,
  capacity: BatchCapacity | null = null,
): Tensor {
  const { backend, model } = policy;
  const { temperature, trainVision } = options;
  const scope = new DisposalScope();
  try {
    const packed = scope.own(policy.packBatch(packItems(batch), options.features, backend.records, capacity));
    const lossInputs = loss.inputs(batch, index, packed.tokenCount, scope, capacity?.tokens);
    const key = `train ${JSON.stringify({ loss: loss.key, temperature, trainVision, keep: keep !== null })}`;
    const work = (rows: PackedBatch, inputs: readonly Tensor[]): readonly Tensor[] => {
      const inner = new DisposalScope();
      try {
        const tape = inner.own(new Tape(backend, true));
        const { logprob: found } = policy.responseLogprobs(tape, rows, { temperature, trainVision });
        const { dLogprob, stats: sums } = loss.of(found, inputs, inner);
        tape.backward(found, carryingLoss(backend, dLogprob, sums, inner));
        return keep === null ? [sums] : [sums, tape.disown(found)];
      } finally {
        inner.dispose();
      }
    };
    if (capacity !== null) {
      model.trainingSteps.reserve(key, nameOf(capacity), () => {
        const blank = scope.own(blankBatch(backend, capacity, packed));
        const inputs = lossInputs.map(() =>
          scope.own(backend.upload(new Float32Array(capacity.tokens), [capacity.tokens], capacity.tokens)),
        );
        return () => work(blank, inputs);
      });
    }
    const [stats, logprob] = model.trainingSteps.run(key, [...packed.tensors, ...lossInputs], {}, () =>
      work(packed, lossInputs),
    );
    if (stats === undefined) throw new Error("optimiserStep: the recorded step returned no stats.");
    if (keep !== null && logprob !== undefined) keep.logprobs.push(keep.scope.own(logprob));
    return stats;
  } finally {
    scope.dispose();
  }
}

/** dLogprob + 0·loss, as one tiny matrix product: [N, 1] zeros times the [1, 1] loss, plus dLogprob. */
function carryingLoss(backend: Backend, dLogprob: Tensor, stats: Tensor, scope: DisposalScope): Tensor {
  const rows = dLogprob.size;
  const loss = scope.own(backend.view(stats, 0, [1, 1]));
  const column = scope.own(backend.view(dLogprob, 0, [rows, 1]));
  const sum = scope.own(
    backend.kernels.linear(
      scope.own(backend.zeros([rows, 1])),
      { format: "f32", out: 1, in: 1, values: loss },
      null,
      column,
    ),
  );
  return scope.own(backend.view(sum, 0, [rows]));
}

/**
 * Log-probabilities of the rows' tokens, without gradients, one tensor a micro-batch: as long as its batch in
 * `optimiserStep`, padding last. They live as long as `keptBy`.
 */
export function responseLogprobs(
  policy: Policy,
  batches: readonly MicroBatch[],
  options: Pick<StepOptions, "temperature" | "features" | "largest"> & Pick<LogprobOptions, "adapter">,
  keptBy: DisposalScope,
): Tensor[] {
  const { temperature, features, adapter = "on" } = options;
  const {
    backend,
    model: { trainingSteps },
  } = policy;
  const capacity = capacityOf(policy, batches, options);
  const key = `log-probabilities ${JSON.stringify({ temperature, adapter })}`;
  const work = (rows: PackedBatch): readonly Tensor[] => {
    const tape = new Tape(backend, false);
    try {
      return [tape.disown(policy.responseLogprobs(tape, rows, { temperature, trainVision: false, adapter }).logprob)];
    } finally {
      tape.dispose();
    }
  };
  return batches.flatMap((batch) => {
    const scope = new DisposalScope();
    try {
      const packed = scope.own(policy.packBatch(packItems(batch), features, backend.records, capacity));
      if (capacity !== null) {
        trainingSteps.reserve(key, nameOf(capacity), () => {
          const blank = scope.own(blankBatch(backend, capacity, packed));
          return () => work(blank);
        });
      }
      return trainingSteps.run(key, packed.tensors, {}, () => work(packed)).map((logprob) => keptBy.own(logprob));
    } finally {
      scope.dispose();
    }
  });
}

/**
 * Room for these micro-batches and all later ones of the run, where the caller knows how large they become and where
 * that is not much: a large policy's batches seldom are what its settings allow, and memory that it would not need it
 * may not have.
 */
function capacityOf(
  { model }: Policy,
  batches: readonly MicroBatch[],
  { largest }: Pick<StepOptions, "largest">,
): BatchCapacity | null {
  const capacity = largest?.batch.over(batches, largest.limits) ?? null;
  return capacity !== null && model.activationBytes(capacity) <= FORESEEN_BYTES ? capacity : null;
}

function nameOf({ rows, tokens }: BatchCapacity): string {
  return `${rows} rows, ${tokens} tokens`;
}
