/** Attention over row ranges of the wasm backend, and its gradient. */
import type { Tensor } from "@tensorflow/tfjs-core";
import { cacheColumns, holdsHalves } from "../../cacheF16";
import type { AttentionShape, Kernels } from "../../kernels";
import { expectShape, matrixOf } from "../checks";
import type { WasmMemory } from "../memory";

/** Scratch for the scores of four queries (assembly/attention.ts). */
const scoreBytes = (longestVisible: number) => 16 * (longestVisible + 12) + 16;

export function attentionKernels(memory: WasmMemory): Pick<Kernels, "attention" | "attentionGrad"> {
  const { exports: wasm, address: at } = memory;

  /** Checks that what queries see exists; returns the longest count of visible rows. */
  const visibleRows = (kernel: string, visible: Tensor, queries: number, rows: number, cacheOffset: number): number => {
    expectShape(kernel, "visible", visible, [queries, 4], "int32");
    if (!wasm.visibleWithin(queries, at(visible), cacheOffset, rows))
      throw new Error(`${kernel}: visible has a range outside the ${rows} rows of kv`);
    return wasm.longestVisible(queries, at(visible), cacheOffset);
  };

  const expectHeads = (kernel: string, shape: AttentionShape, qWidth: number, kvWidth: number) => {
    const { heads, kvHeads, headDim, qOffset, kOffset, vOffset } = shape;
    const kvColumns = Math.max(kOffset, vOffset) + kvHeads * headDim;
    if (qOffset + heads * headDim > qWidth || kvColumns > kvWidth) {
      throw new Error(
        `${kernel}: ${heads} heads of ${headDim} from column ${qOffset} need ${qOffset + heads * headDim} columns of ` +
          `q (has ${qWidth}); keys and values need ${kvColumns} of kv (has ${kvWidth})`,
      );
    }
  };

  return {
    attention(q, kv, visible, shape) {
      const [n, qWidth] = matrixOf("attention", "q", q);
      const halves = holdsHalves(kv);
      expectShape("attention", "kv", kv, [-1, -1], halves ? "int32" : "float32");
      const [rows, kvWidth] = [kv.shape[0] ?? 0, cacheColumns(kv)];
      const { heads, kvHeads, headDim, qOffset, kOffset, vOffset, cacheOffset = 0 } = shape;
      expectHeads("attention", shape, qWidth, kvWidth);
      if (halves && [headDim, kOffset, vOffset, kvWidth].some((count) => count % 4 !== 0))
        throw new Error(
          `attention: a cache in halves needs offsets and widths that are multiples of 4, got ${JSON.stringify(shape)}`,
        );
      // Halves are widened into scratch, where each row keeps its place: room for one layer's cache, untouched where
      // nobody looks.
      const widened = halves ? 4 * rows * kvWidth : 0;
      const scores = scoreBytes(visibleRows("attention", visible, n, rows, cacheOffset));
      const [out, lse] = [memory.allocate([n, heads * headDim]), memory.allocate([n, heads])];
      const scratch = memory.scratch(widened + scores);
      if (halves) wasm.unpackVisible(n, at(visible), cacheOffset, kvWidth, at(kv), scratch);
      const from = halves ? scratch : at(kv);
      wasm.attention(
        n,
        heads,
        kvHeads,
        headDim,
        at(q) + 4 * qOffset,
        4 * qWidth,
        from + 4 * kOffset,
        from + 4 * vOffset,
        4 * kvWidth,
        at(visible),
        cacheOffset,
        at(out),
        at(lse),
        scratch + widened,
      );
      return { out, lse };
    },

    attentionGrad(qkv, visible, seenBy, out, lse, dOut, shape) {
      const [n, width] = matrixOf("attentionGrad", "qkv", qkv);
      const { heads, kvHeads, headDim, qOffset, kOffset, vOffset, cacheOffset = 0 } = shape;
      expectHeads("attentionGrad", shape, width, width);
      expectShape("attentionGrad", "seenBy", seenBy, [n, 2], "int32");
      expectShape("attentionGrad", "out", out, [n, heads * headDim]);
      expectShape("attentionGrad", "lse", lse, [n, heads]);
      expectShape("attentionGrad", "dOut", dOut, [n, heads * headDim]);
      const bytes = scoreBytes(visibleRows("attentionGrad", visible, n, n, cacheOffset));
      const scratch = memory.scratch(2 * bytes);
      const dQkv = memory.allocate([n, width]);
      const [base, d] = [at(qkv), at(dQkv)];
      wasm.fill(dQkv.size, d, 0);
      wasm.attentionGrad(
        n,
        heads,
        kvHeads,
        headDim,
        base + 4 * qOffset,
        base + 4 * kOffset,
        base + 4 * vOffset,
        4 * width,
        at(visible),
        cacheOffset,
        at(out),
        at(lse),
        at(dOut),
        d + 4 * qOffset,
        d + 4 * kOffset,
        d + 4 * vOffset,
        scratch,
        scratch + bytes,
      );
      return dQkv;
    },
  };
}
