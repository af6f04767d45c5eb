/** Reference KV cache: row copies, and the decode step's rotation and copy in one. */
import * as tf from "@tensorflow/tfjs-core";
import { isF16Cache, packCache, unpackCache } from "../../cacheF16";
import type { Kernels } from "../../kernels";
import { floats, integers } from "../cpuMemory";
import { expectShape, sizeOf } from "../shapes";
import { ropeKernels } from "./rope";

export const kvCacheKernels: Pick<Kernels, "copyRows" | "ropeToCache"> = {
  copyRows(x, columns, rows, cacheOffset, into) {
    expectShape("copyRows", "rows", rows, [sizeOf(x, 0)]);
    expectShape("copyRows", "into", into, [null, columns.count]);
    if (columns.offset + columns.count > sizeOf(x, 1))
      throw new Error(
        `copyRows: x has shape [${x.shape.join(", ")}], expected at least ${columns.offset + columns.count} columns.`,
      );
    const [source, target, width] = [floats(x), floats(into), sizeOf(x, 1)];
    integers(rows).forEach((row, r) => {
      if (row < 0) return;
      if (row + cacheOffset >= sizeOf(into, 0))
        throw new Error(
          `copyRows: row ${r} goes to row ${row + cacheOffset}, but into has shape [${into.shape.join(", ")}].`,
        );
      const start = r * width + columns.offset;
      target.set(source.subarray(start, start + columns.count), (row + cacheOffset) * columns.count);
    });
  },

  ropeToCache(intoQkv, cos, sin, angleRow, shape, rows, cacheOffset, into) {
    const { heads, kvHeads, headDim, kOffset } = shape;
    const count = sizeOf(intoQkv, 0);
    expectShape("ropeToCache", "intoQkv", intoQkv, [count, (heads + 2 * kvHeads) * headDim]);
    if (angleRow < 0 || angleRow + count > sizeOf(cos, 0))
      throw new Error(
        `ropeToCache: rows ${angleRow} to ${angleRow + count} lie outside cos [${cos.shape.join(", ")}].`,
      );
    const angles = (table: tf.Tensor): tf.Tensor => tf.slice(table, [angleRow, 0], [count, headDim / 2]);
    ropeKernels.rope(intoQkv, angles(cos), angles(sin), heads + kvHeads, headDim, false);
    const columns = 2 * kvHeads * headDim;
    if (!isF16Cache(into))
      return kvCacheKernels.copyRows(intoQkv, { offset: kOffset, count: columns }, rows, cacheOffset, into);
    expectShape("ropeToCache", "into", into, [null, columns / 2]);
    if (headDim % 4 !== 0)
      throw new Error(`ropeToCache: heads of ${headDim} columns cannot be kept in f16; expected a multiple of 4.`);
    const wide = tf.tensor2d(unpackCache(integers(into)), [sizeOf(into, 0), columns]);
    kvCacheKernels.copyRows(intoQkv, { offset: kOffset, count: columns }, rows, cacheOffset, wide);
    integers(into).set(packCache(floats(wide))); // an f16 value that was there packs to itself
  },
};
