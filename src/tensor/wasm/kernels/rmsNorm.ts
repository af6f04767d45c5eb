/** RMSNorm of the wasm backend and its gradient. */
import type { Kernels } from "../../kernels";
import { expectShape, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";

export function rmsNormKernels(memory: WasmMemory): Pick<Kernels, "rmsNorm" | "rmsNormGrad"> {
  const { exports: wasm, address: at } = memory;

  return {
    rmsNorm(x, weight, eps) {
      const [n, d] = matrixOf("rmsNorm", "x", x);
      expectShape("rmsNorm", "weight", weight, [d]);
      const y = memory.allocate([n, d]);
      wasm.rmsNorm(n, d, at(x), at(weight), eps, at(y));
      return y;
    },

    rmsNormGrad(x, weight, dy, eps, residual, intoWeight) {
      const [n, d] = matrixOf("rmsNormGrad", "x", x);
      expectShape("rmsNormGrad", "weight", weight, [d]);
      expectShape("rmsNormGrad", "dy", dy, x.shape);
      if (residual) expectShape("rmsNormGrad", "residual", residual, x.shape);
      if (intoWeight) expectShape("rmsNormGrad", "intoWeight", intoWeight, [d]);
      const dx = memory.allocate([n, d]);
      wasm.rmsNormGrad(n, d, at(x), at(weight), at(dy), eps, at(residual), at(intoWeight), at(dx));
      return dx;
    },
  };
}
