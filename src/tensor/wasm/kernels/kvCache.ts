/** Writes to the wasm backend's KV cache: row copies, and the decode step's rotation and copy in one. */
import { isF16Cache } from "../../cacheF16";
import type { Kernels } from "../../kernels";
import { expectColumns, expectShape, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";

export function kvCacheKernels(memory: WasmMemory): Pick<Kernels, "copyRows" | "ropeToCache"> {
  const { exports: wasm, address: at } = memory;

  return {
    copyRows(x, columns, rows, cacheOffset, into) {
      const [n, width] = matrixOf("copyRows", "x", x);
      expectColumns("copyRows", columns, width);
      expectShape("copyRows", "rows", rows, [n], "int32");
      expectShape("copyRows", "into", into, [-1, columns.count]);
      const capacity = into.shape[0] ?? 0;
      if (
        !wasm.copyRows(
          n,
          at(x) + 4 * columns.offset,
          4 * width,
          4 * columns.count,
          at(rows),
          cacheOffset,
          at(into),
          capacity,
        )
      ) {
        throw new Error(`copyRows: a row number plus ${cacheOffset} lies outside the ${capacity} rows of into`);
      }
    },

    ropeToCache(intoQkv, cos, sin, angleRow, shape, rows, cacheOffset, into) {
      const { heads, kvHeads, headDim, kOffset } = shape;
      const [n, width] = matrixOf("ropeToCache", "intoQkv", intoQkv);
      expectShape("ropeToCache", "intoQkv", intoQkv, [n, (heads + 2 * kvHeads) * headDim]);
      expectShape("ropeToCache", "cos", cos, [-1, headDim / 2]);
      expectShape("ropeToCache", "sin", sin, cos.shape);
      expectShape("ropeToCache", "rows", rows, [n], "int32");
      const columns = 2 * kvHeads * headDim;
      const f16 = isF16Cache(into);
      expectShape("ropeToCache", "into", into, [-1, f16 ? columns / 2 : columns], f16 ? "int32" : "float32");
      if (f16 && headDim % 4 !== 0)
        throw new Error(`ropeToCache: heads of ${headDim} columns cannot be kept in f16, expected a multiple of 4`);
      if (angleRow < 0 || angleRow + n > (cos.shape[0] ?? 0))
        throw new Error(`ropeToCache: rows ${angleRow} to ${angleRow + n} lie outside cos [${cos.shape.join(", ")}]`);
      const skipped = 4 * angleRow * (headDim / 2);
      wasm.rope(n, 4 * width, at(intoQkv), at(cos) + skipped, at(sin) + skipped, heads + kvHeads, headDim, 0);
      const capacity = into.shape[0] ?? 0;
      const copied = f16
        ? wasm.copyRowsToF16(
            n,
            at(intoQkv) + 4 * kOffset,
            4 * width,
            columns,
            at(rows),
            cacheOffset,
            at(into),
            capacity,
          )
        : wasm.copyRows(
            n,
            at(intoQkv) + 4 * kOffset,
            4 * width,
            4 * columns,
            at(rows),
            cacheOffset,
            at(into),
            capacity,
          );
      if (!copied) {
        throw new Error(`ropeToCache: a row number plus ${cacheOffset} lies outside the ${capacity} rows of into`);
      }
    },
  };
}
