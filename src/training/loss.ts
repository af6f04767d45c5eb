/**
 * The two losses on response log-probabilities, on the device: negative log-likelihood (SFT, pre-training) and the clipped
 * policy-gradient objective (GRPO). `Loss` says one as plain data, so that a micro-batch can be computed by another thread.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Home } from "../tensor/home";
import type { PolicyLossOptions } from "../tensor/kernels";
import type { Lifetime } from "./lifetime";
import { perToken, type MicroBatch } from "./microBatch";
import type { LossOf } from "./optimiserStep";

export type Loss =
  | { readonly kind: "likelihood" }
  /** Log-probabilities [N] of the old and of the reference policy; null: those of this very forward pass. */
  | { readonly kind: "policy"; readonly options: PolicyLossOptions; readonly old: Float32Array | null; readonly reference: Float32Array | null };

/** Clipped surrogate with each row's weight and advantage. */
export function policyLoss(home: Home, logprob: Tensor, batch: MicroBatch, old: Tensor, reference: Tensor, options: PolicyLossOptions, scope: Lifetime): ReturnType<LossOf> {
  const upload = (values: Float32Array): Tensor => scope.own(home.upload(values, [values.length]));
  const advantage = upload(perToken(batch, (row) => row.advantage));
  const weight = upload(perToken(batch, (row) => row.weight));
  const { dLogprob, stats } = home.kernels.policyLoss(logprob, old, reference, advantage, weight, options);
  return { dLogprob: scope.own(dLogprob), stats };
}

/** Σ −w·logprob with each row's weight. */
export function likelihoodLoss(home: Home, logprob: Tensor, batch: MicroBatch, scope: Lifetime): ReturnType<LossOf> {
  const minus = perToken(batch, (row) => -row.weight);
  const gradient = scope.own(home.upload(minus, [minus.length]));
  // Σ −w·logprob on the device: a [1, N] row times logprob as a [1, N] matrix.
  const row = scope.own(home.view(gradient, 0, [1, minus.length]));
  const column = scope.own(home.view(logprob, 0, [1, minus.length]));
  return { dLogprob: gradient, stats: home.kernels.linear(row, { format: "f32", out: 1, in: minus.length, values: column }, null, null) };
}

export function lossOf(home: Home, loss: Loss): LossOf {
  switch (loss.kind) {
    case "likelihood": return (logprob, batch, _index, scope) => likelihoodLoss(home, logprob, batch, scope);
    case "policy": return (logprob, batch, _index, scope) => {
      const given = (values: Float32Array | null): Tensor => (values === null ? logprob : scope.own(home.upload(values, [values.length])));
      return policyLoss(home, logprob, batch, given(loss.old), given(loss.reference), loss.options, scope);
    };
    default: return loss satisfies never;
  }
}
