/** Element-wise kernels of the wasm backend: SwiGLU, GELU, addition, fill. */
import type { Kernels } from "../../kernels";
import { expectShape, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";

export function pointwiseKernels(
  memory: WasmMemory,
): Pick<Kernels, "swiglu" | "swigluGrad" | "gelu" | "geluGrad" | "add" | "fill"> {
  const { exports: wasm, address: at } = memory;

  return {
    swiglu(gateUp) {
      const [n, width] = matrixOf("swiglu", "gateUp", gateUp);
      if (width % 2) throw new Error(`swiglu: gateUp is [${n}, ${width}], expected an even number of columns`);
      const y = memory.allocate([n, width / 2]);
      wasm.swiglu(n, width / 2, at(gateUp), at(y));
      return y;
    },

    swigluGrad(gateUp, dy) {
      const [n, width] = matrixOf("swigluGrad", "gateUp", gateUp);
      expectShape("swigluGrad", "dy", dy, [n, width / 2]);
      const d = memory.allocate([n, width]);
      wasm.swigluGrad(n, width / 2, at(gateUp), at(dy), at(d));
      return d;
    },

    gelu(x) {
      const y = memory.allocate(x.shape);
      wasm.gelu(x.size, at(x), at(y));
      return y;
    },

    geluGrad(x, dy) {
      expectShape("geluGrad", "dy", dy, x.shape);
      const dx = memory.allocate(x.shape);
      wasm.geluGrad(x.size, at(x), at(dy), at(dx));
      return dx;
    },

    add(a, b) {
      expectShape("add", "b", b, a.shape);
      const sum = memory.allocate(a.shape);
      wasm.add(a.size, at(a), at(b), at(sum));
      return sum;
    },

    fill(intoX, value) {
      wasm.fill(intoX.size, at(intoX), value);
    },
  };
}
