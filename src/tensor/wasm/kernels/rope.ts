/** Rotary position embedding of the wasm backend, in place. */
import type { Kernels } from "../../kernels";
import { expectShape, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";

export function ropeKernels(memory: WasmMemory): Pick<Kernels, "rope"> {
  const { exports: wasm, address: at } = memory;

  return {
    rope(intoX, cos, sin, heads, headDim, inverse) {
      const [n, width] = matrixOf("rope", "intoX", intoX);
      if (headDim % 2 || heads * headDim > width)
        throw new Error(`rope: ${heads} heads of ${headDim} columns (even) do not fit intoX [${n}, ${width}]`);
      expectShape("rope", "cos", cos, [n, headDim / 2]);
      expectShape("rope", "sin", sin, [n, headDim / 2]);
      wasm.rope(n, 4 * width, at(intoX), at(cos), at(sin), heads, headDim, inverse ? 1 : 0);
    },
  };
}
