/** Norms, attention, activations, element-wise kernels and cache copies of the wasm backend. */
import type { Tensor } from "@tensorflow/tfjs-core";
import { cacheColumns, holdsHalves } from "../cacheF16";
import type { AttentionShape, Kernels } from "../kernels";
import { expectColumns, expectShape, matrixOf } from "./checks";
import type { WasmMemory } from "./memory";

type RowKernels = Pick<
  Kernels,
  | "rmsNorm"
  | "rmsNormGrad"
  | "rope"
  | "attention"
  | "attentionGrad"
  | "copyRows"
  | "ropeToCache"
  | "swiglu"
  | "swigluGrad"
  | "gelu"
  | "geluGrad"
  | "add"
  | "fill"
>;

/** Scratch for the scores of four queries (assembly/attention.ts). */
const scoreBytes = (longestVisible: number) => 16 * (longestVisible + 12) + 16;

export function rowKernels(memory: WasmMemory): RowKernels {
  const wasm = memory.exports;
  const at = (tensor: Tensor | null): number => (tensor ? memory.pointer(tensor) : 0);

  /** Element-wise on any shape: dy (or b) as x, a new tensor of that shape out. */
  const expectSame = (kernel: string, argument: string, other: Tensor, x: Tensor) =>
    expectShape(kernel, argument, other, x.shape);

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
        `${kernel}: ${heads} heads of ${headDim} from column ${qOffset} need ${qOffset + heads * headDim} columns of q (has ${qWidth}); keys and values need ${kvColumns} of kv (has ${kvWidth})`,
      );
    }
  };

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
      expectSame("rmsNormGrad", "dy", dy, x);
      if (residual) expectSame("rmsNormGrad", "residual", residual, x);
      if (intoWeight) expectShape("rmsNormGrad", "intoWeight", intoWeight, [d]);
      const dx = memory.allocate([n, d]);
      wasm.rmsNormGrad(n, d, at(x), at(weight), at(dy), eps, at(residual), at(intoWeight), at(dx));
      return dx;
    },

    rope(intoX, cos, sin, heads, headDim, inverse) {
      const [n, width] = matrixOf("rope", "intoX", intoX);
      if (headDim % 2 || heads * headDim > width)
        throw new Error(`rope: ${heads} heads of ${headDim} columns (even) do not fit intoX [${n}, ${width}]`);
      expectShape("rope", "cos", cos, [n, headDim / 2]);
      expectShape("rope", "sin", sin, [n, headDim / 2]);
      wasm.rope(n, 4 * width, at(intoX), at(cos), at(sin), heads, headDim, inverse ? 1 : 0);
    },

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
      // Halves are widened into scratch, where each row keeps its place: room for one layer's cache, untouched where nobody looks.
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
      const halves = holdsHalves(into);
      expectShape("ropeToCache", "into", into, [-1, halves ? columns / 2 : columns], halves ? "int32" : "float32");
      if (halves && headDim % 4 !== 0)
        throw new Error(`ropeToCache: heads of ${headDim} columns cannot be kept in halves, expected a multiple of 4`);
      if (angleRow < 0 || angleRow + n > (cos.shape[0] ?? 0))
        throw new Error(`ropeToCache: rows ${angleRow} to ${angleRow + n} lie outside cos [${cos.shape.join(", ")}]`);
      const skipped = 4 * angleRow * (headDim / 2);
      wasm.rope(n, 4 * width, at(intoQkv), at(cos) + skipped, at(sin) + skipped, heads + kvHeads, headDim, 0);
      const capacity = into.shape[0] ?? 0;
      const copied = halves
        ? wasm.copyRowsToHalves(
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
      expectSame("geluGrad", "dy", dy, x);
      const dx = memory.allocate(x.shape);
      wasm.geluGrad(x.size, at(x), at(dy), at(dx));
      return dx;
    },

    add(a, b) {
      expectSame("add", "b", b, a);
      const sum = memory.allocate(a.shape);
      wasm.add(a.size, at(a), at(b), at(sum));
      return sum;
    },

    fill(intoX, value) {
      wasm.fill(intoX.size, at(intoX), value);
    },
  };
}
