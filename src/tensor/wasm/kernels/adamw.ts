/** AdamW of the wasm backend and the gradient's sum of squares. */
import type { Kernels } from "../../kernels";
import { expectShape } from "../checks";
import type { WasmMemory } from "../memory";

export function adamwKernels(memory: WasmMemory): Pick<Kernels, "sumSquares" | "adamw"> {
  const { exports: wasm, address: at } = memory;

  return {
    sumSquares(x) {
      const sum = memory.allocate([1]);
      wasm.sumSquares(x.size, at(x), at(sum));
      return sum;
    },

    adamw(intoTheta, grad, intoM, intoV, gradSquares, o) {
      const n = intoTheta.size;
      for (const [argument, tensor] of Object.entries({ grad, intoM, intoV }))
        expectShape("adamw", argument, tensor, intoTheta.shape);
      expectShape("adamw", "gradSquares", gradSquares, [1]);
      const refused = memory.allocate([1]);
      wasm.adamw(
        n,
        at(intoTheta),
        at(grad),
        at(intoM),
        at(intoV),
        at(gradSquares),
        at(refused),
        o.learningRate,
        o.beta1,
        o.beta2,
        o.epsilon,
        o.weightDecay,
        1 - integerPower(o.beta1, o.updateCount),
        1 - integerPower(o.beta2, o.updateCount),
        o.maxGradNorm,
      );
      return refused;
    },
  };
}

/** base^exponent by squaring: unlike Math.pow the same bits in every engine. */
function integerPower(base: number, exponent: number): number {
  let result = 1;
  let square = base;
  for (let e = exponent; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result *= square;
    square *= square;
  }
  return result;
}
