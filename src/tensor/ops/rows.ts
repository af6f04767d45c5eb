/**
 * Rows into and out of the residual stream: token embedding, gathering rows, and log-probabilities of target tokens.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { MatrixParameter } from "../parameters";
import type { Tape } from "../tape";

/** ids [N] int32 (id −1−k: row k of `features`) → [N, D]. */
export function embedding(tape: Tape, table: MatrixParameter, features: Tensor | null, ids: Tensor): Tensor {
  const { kernels } = tape.backend;
  const x = tape.own(kernels.embedding(table.weight, features, ids));
  const trainsFeatures = features !== null && tape.needsGradient(features);
  if (table.grad !== null || trainsFeatures) {
    tape.record(x, () => {
      const dx = tape.takeGradient(x);
      if (dx === null) return;
      const dFeatures = trainsFeatures ? tape.backend.zeros(features.shape) : null;
      kernels.embeddingGrad(dx, ids, table.grad, dFeatures);
      if (features !== null && dFeatures !== null) tape.giveGradient(features, dFeatures);
      tape.disposeTensor(dx);
    });
  }
  return x;
}

/**
 * R distinct rows gathered from N, as indices both ways: `to` [N] = index of row n in the result, or −1; `from` [R] =
 * source row of row r of the result.
 */
export interface RowGather {
  readonly to: Tensor;
  readonly from: Tensor;
}

/** x [N, D] → the gathered rows [R, D]. */
export function gatherRows(tape: Tape, x: Tensor, gather: RowGather): Tensor {
  const { backend } = tape;
  const [n = 0, width = 0] = x.shape;
  const columns = { offset: 0, count: width };
  const y = tape.own(backend.zeros([gather.from.size, width]));
  backend.kernels.copyRows(x, columns, gather.to, 0, y);
  if (tape.needsGradient(x)) {
    tape.record(y, () => {
      const dy = tape.takeGradient(y);
      if (dy === null) return;
      const dx = backend.zeros([n, width]);
      backend.kernels.copyRows(dy, columns, gather.from, 0, dx);
      tape.giveGradient(x, dx);
      tape.disposeTensor(dy);
    });
  }
  return y;
}

export interface TokenLogprobs {
  /** Log-probability of each target at the given temperature [N]; the differentiable output. */
  readonly logprob: Tensor;
  /** Entropy of each row's distribution, nats [N]. */
  readonly entropy: Tensor;
  /** Log-sum-exp of each row's logits / temperature [N]. */
  readonly lse: Tensor;
}

/**
 * hidden [N, D], head [V, D], targets [N] → log-probabilities (and entropy, log-sum-exp, without gradients) of the
 * targets under softmax(hidden · headᵀ / temperature). The results live until the tape is disposed.
 */
export function tokenLogprobs(
  tape: Tape,
  hidden: Tensor,
  head: MatrixParameter,
  targets: Tensor,
  temperature: number,
): TokenLogprobs {
  const { kernels } = tape.backend;
  const result = kernels.tokenLogprobs(hidden, head.weight, targets, temperature);
  const { logprob, lse } = result;
  for (const tensor of [logprob, lse, result.entropy]) tape.keep(tensor);
  if (head.grad !== null || tape.needsGradient(hidden)) {
    tape.record(logprob, () => {
      const dLogprob = tape.takeGradient(logprob);
      if (dLogprob === null) return;
      const dHidden = kernels.tokenLogprobsGrad(hidden, head.weight, targets, lse, dLogprob, temperature, head.grad);
      tape.giveGradient(hidden, dHidden);
      tape.disposeTensor(dLogprob);
    });
  }
  return result;
}
