/**
 * The two losses on response log-probabilities, on the device: negative log-likelihood (SFT, pre-training) and the
 * clipped policy-gradient objective (GRPO). A loss uploads what it needs of a micro-batch first; the rest is kernels
 * only, so that a backend that records can replay it with the forward and backward pass. `Loss` is the same as plain
 * data, for micro-batches that another thread computes.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../tensor/backend";
import type { PolicyLossOptions } from "../tensor/policyLossOptions";
import type { DisposalScope } from "./disposalScope";
import { type MicroBatch, perToken, recordedLogprobs, sequenceRows } from "./microBatch";

export type Loss =
  | { readonly kind: "likelihood" }
  /** Log-probabilities [N] of the old and of the reference policy; null: those of the current forward pass. */
  | {
      readonly kind: "policy";
      readonly options: PolicyLossOptions;
      readonly old: Float32Array | null;
      readonly reference: Float32Array | null;
    };

export interface TokenLoss {
  /** Names the loss and every number in it. */
  readonly key: string;
  /**
   * Tensors of `tokens` values each (a padded batch has more than its rows have; padding has weight 0), owned by
   * `scope` or longer lived. `capacity`: tokens of the largest batch.
   */
  inputs(rows: MicroBatch, index: number, tokens: number, scope: DisposalScope, capacity?: number): readonly Tensor[];
  /** Kernels only. `scope` disposes what it owns after the backward pass. */
  of(
    logprob: Tensor,
    inputs: readonly Tensor[],
    scope: DisposalScope,
  ): {
    /** d loss / d logprob [N]. */
    readonly dLogprob: Tensor;
    /** A new tensor; element 0 is the loss. Read back as it is, disposed after that. */
    readonly stats: Tensor;
  };
}

/** Old or reference log-probabilities of a micro-batch's `tokens` tokens; null: those of the current forward pass. */
export type FixedLogprobs = ((index: number, tokens: number, scope: DisposalScope, capacity?: number) => Tensor) | null;

/** Log-probabilities [R] of one micro-batch from the host; they may come from another backend, without padding. */
export function uploaded(backend: Backend, values: Float32Array | null): FixedLogprobs {
  if (values === null) return null;
  return (_index, tokens, scope, capacity) => {
    const sized = new Float32Array(tokens);
    sized.set(values.subarray(0, tokens));
    return scope.own(backend.upload(sized, [tokens], capacity));
  };
}

/** The log-probabilities that the rollout drew with; null unless every row of the objective has them. */
export function ofSampler(backend: Backend, batches: readonly MicroBatch[]): FixedLogprobs {
  if (!batches.every((rows) => rows.every((row) => row.sampled !== undefined || row.loss === "likelihood")))
    return null;
  return (index, tokens, scope, capacity) =>
    scope.own(backend.upload(recordedLogprobs(batches[index] ?? [], tokens, "sampled"), [tokens], capacity));
}

/** Σ −w·logprob with each row's weight. */
export function sftLoss(backend: Backend): TokenLoss {
  return {
    key: "likelihood",
    inputs: (rows, _index, tokens, scope, capacity) => [
      scope.own(
        backend.upload(
          perToken(rows, (row) => -row.weight, tokens),
          [tokens],
          capacity,
        ),
      ),
    ],
    of: (logprob, inputs, scope) => {
      const minus = wanted(inputs, 0);
      // Σ −w·logprob on the device: a [1, N] row times logprob as a [1, N] matrix.
      const row = scope.own(backend.view(minus, 0, [1, minus.size]));
      const column = scope.own(backend.view(logprob, 0, [1, minus.size]));
      return {
        dLogprob: minus,
        stats: backend.kernels.linear(row, { format: "f32", out: 1, in: minus.size, values: column }, null, null),
      };
    },
  };
}

/** The policy-gradient objective with each row's weight and advantage. */
export function policyLoss(
  backend: Backend,
  options: PolicyLossOptions,
  old: FixedLogprobs,
  reference: FixedLogprobs,
): TokenLoss {
  return {
    // JSON has no infinities, which switch options off.
    key: [
      "policy",
      JSON.stringify(options, (_name, value: unknown) => (value === Infinity ? "off" : value)),
      ...(old ? ["old"] : []),
      ...(reference ? ["reference"] : []),
    ].join(" "),
    inputs: (rows, index, tokens, scope, capacity) => [
      scope.own(
        backend.upload(
          perToken(rows, (row) => row.advantage, tokens),
          [tokens],
          capacity,
        ),
      ),
      scope.own(
        backend.upload(
          perToken(rows, (row) => row.weight, tokens),
          [tokens],
          capacity,
        ),
      ),
      ...(options.level === "sequence"
        ? [scope.own(backend.upload(sequenceRows(rows, tokens), [tokens, 2], capacity && 2 * capacity))]
        : []),
      ...[old, reference].flatMap((logprobs) => (logprobs === null ? [] : [logprobs(index, tokens, scope, capacity)])),
    ],
    of: (logprob, inputs, scope) => {
      const later = inputs.slice(2);
      const sequences = options.level === "sequence" ? wanted(later.splice(0, 1), 0) : null;
      const oldLogprob = old ? wanted(later, 0) : logprob;
      const refLogprob = reference ? wanted(later, old ? 1 : 0) : logprob;
      const { dLogprob, stats } = backend.kernels.policyLoss(
        logprob,
        oldLogprob,
        refLogprob,
        wanted(inputs, 0),
        wanted(inputs, 1),
        sequences,
        options,
      );
      return { dLogprob: scope.own(dLogprob), stats };
    },
  };
}

export function lossOf(backend: Backend, loss: Loss): TokenLoss {
  switch (loss.kind) {
    case "likelihood":
      return sftLoss(backend);
    case "policy":
      return policyLoss(backend, loss.options, uploaded(backend, loss.old), uploaded(backend, loss.reference));
    default:
      return loss satisfies never;
  }
}

function wanted(tensors: readonly Tensor[], index: number): Tensor {
  const tensor = tensors[index];
  if (tensor === undefined) throw new Error(`loss: tensor ${index} of ${tensors.length} is missing.`);
  return tensor;
}
