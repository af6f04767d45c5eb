/** Row-wise and element-wise operations: RMSNorm, SwiGLU, GELU. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { VectorParameter } from "../parameters";
import type { Tape } from "../tape";

/** x [N, D] → x / sqrt(mean(x²) + eps) · weight [N, D]. */
export function rmsNorm(tape: Tape, x: Tensor, weight: VectorParameter, eps: number): Tensor {
  const { kernels } = tape.backend;
  const y = tape.own(kernels.rmsNorm(x, weight.value, eps));
  if (weight.grad !== null || tape.needsGradient(x)) {
    tape.record(y, () => {
      const dy = tape.takeGradient(y);
      if (dy === null) return;
      if (tape.needsGradient(x)) {
        tape.accumulate(x, (residual) => kernels.rmsNormGrad(x, weight.value, dy, eps, residual, weight.grad));
      } else {
        kernels.rmsNormGrad(x, weight.value, dy, eps, null, weight.grad).dispose();
      }
      tape.disposeTensor(dy);
    });
  }
  return y;
}

/** gateUp [N, 2F] laid out gate|up → silu(gate) · up [N, F]. */
export function swiglu(tape: Tape, gateUp: Tensor): Tensor {
  const { kernels } = tape.backend;
  return unary(tape, gateUp, kernels.swiglu(gateUp), (dy) => kernels.swigluGrad(gateUp, dy));
}

/** Exact GELU. */
export function gelu(tape: Tape, x: Tensor): Tensor {
  const { kernels } = tape.backend;
  return unary(tape, x, kernels.gelu(x), (dy) => kernels.geluGrad(x, dy));
}

function unary(tape: Tape, x: Tensor, y: Tensor, gradient: (dy: Tensor) => Tensor): Tensor {
  tape.own(y);
  if (tape.needsGradient(x)) {
    tape.record(y, () => {
      const dy = tape.takeGradient(y);
      if (dy === null) return;
      tape.giveGradient(x, gradient(dy));
      tape.disposeTensor(dy);
    });
  }
  return y;
}

/** The same elements as rows of another length (a view, no copy): [N, D] → shape. */
export function reshape(tape: Tape, x: Tensor, shape: readonly number[]): Tensor {
  const y = tape.own(tape.backend.view(x, 0, shape));
  if (tape.needsGradient(x)) {
    tape.record(y, () => {
      const dy = tape.takeGradient(y);
      if (dy !== null) tape.giveGradient(x, tape.reshaped(dy, x.shape));
    });
  }
  return y;
}
