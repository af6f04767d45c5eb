/** LoRA's up-projection of the wasm backend onto a block of columns, and its gradient. */
import type { Kernels } from "../../kernels";
import { expectColumns, expectShape, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";
import { transposedBytes, up8 } from "../panels";

export function loraKernels(memory: WasmMemory): Pick<Kernels, "loraApply" | "loraApplyGrad"> {
  const { exports: wasm, address: at } = memory;

  return {
    loraApply(intoY, columns, h, b, scale) {
      const [n, width] = matrixOf("loraApply", "intoY", intoY);
      const [, rank] = matrixOf("loraApply", "h", h);
      expectColumns("loraApply", columns, width);
      expectShape("loraApply", "h", h, [n, rank]);
      expectShape("loraApply", "b", b, [columns.count, rank]);
      const scratch = memory.scratch(160 + 4 * rank * up8(columns.count));
      wasm.loraApply(n, rank, columns.count, at(intoY) + 4 * columns.offset, 4 * width, at(h), at(b), scale, scratch);
    },

    loraApplyGrad(dy, columns, h, b, scale, intoB) {
      const [n, width] = matrixOf("loraApplyGrad", "dy", dy);
      const [, rank] = matrixOf("loraApplyGrad", "h", h);
      expectColumns("loraApplyGrad", columns, width);
      expectShape("loraApplyGrad", "h", h, [n, rank]);
      expectShape("loraApplyGrad", "b", b, [columns.count, rank]);
      if (intoB) expectShape("loraApplyGrad", "intoB", intoB, [columns.count, rank]);
      const scratch = memory.scratch(
        Math.max(160 + 4 * columns.count * up8(rank), transposedBytes(columns.count, rank)),
      );
      const dh = memory.allocate([n, rank]);
      wasm.loraApplyGrad(
        n,
        rank,
        columns.count,
        at(dy) + 4 * columns.offset,
        4 * width,
        at(h),
        at(b),
        scale,
        at(dh),
        at(intoB),
        scratch,
      );
      return dh;
    },
  };
}
