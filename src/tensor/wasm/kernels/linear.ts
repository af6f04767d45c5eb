/** Linear layers of the wasm backend: forward, and the gradients of input, weight and bias. */
import type { Kernels, Weight } from "../../kernels";
import { expectShape, expectWeight, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";
import { transposedBytes, up8, weightAddresses } from "../panels";

export function linearKernels(memory: WasmMemory): Pick<Kernels, "linear" | "linearGradInput" | "linearGradWeight"> {
  const { exports: wasm, address: at } = memory;
  const addresses = (weight: Weight) => weightAddresses(memory, weight);

  return {
    linear(x, weight, bias, residual) {
      const [n, inputs] = matrixOf("linear", "x", x);
      expectWeight("linear", "weight", weight, inputs);
      const outputs = weight.out;
      if (bias) expectShape("linear", "bias", bias, [outputs]);
      if (residual) expectShape("linear", "residual", residual, [n, outputs]);
      const scratch = memory.scratch(160 + 4 * inputs * (up8(outputs) + 8));
      const y = memory.allocate([n, outputs]);
      wasm.linear(n, inputs, outputs, at(x), ...addresses(weight), at(bias), at(residual), at(y), scratch);
      return y;
    },

    linearGradInput(dy, weight, add) {
      const [n, outputs] = matrixOf("linearGradInput", "dy", dy);
      const inputs = weight.in;
      expectWeight("linearGradInput", "weight", weight, inputs);
      expectShape("linearGradInput", "dy", dy, [n, weight.out]);
      if (add) expectShape("linearGradInput", "add", add, [n, inputs]);
      const scratch = memory.scratch(160 + 4 * outputs * (up8(inputs) + (weight.format === "f32" ? 0 : inputs)));
      const dx = memory.allocate([n, inputs]);
      wasm.linearGradInput(n, inputs, outputs, at(dy), ...addresses(weight), at(add), at(dx), scratch);
      return dx;
    },

    linearGradWeight(x, dy, intoWeight, intoBias) {
      const [n, inputs] = matrixOf("linearGradWeight", "x", x);
      const [, outputs] = matrixOf("linearGradWeight", "dy", dy);
      expectShape("linearGradWeight", "dy", dy, [n, outputs]);
      if (intoWeight) {
        expectShape("linearGradWeight", "intoWeight", intoWeight, [outputs, inputs]);
        const scratch = memory.scratch(transposedBytes(outputs, inputs));
        wasm.linearGradWeight(n, inputs, outputs, at(x), at(dy), at(intoWeight), scratch);
      }
      if (intoBias) {
        expectShape("linearGradWeight", "intoBias", intoBias, [outputs]);
        wasm.columnSums(n, outputs, at(dy), at(intoBias));
      }
    },
  };
}
