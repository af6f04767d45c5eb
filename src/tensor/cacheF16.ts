/**
 * A KV cache in halves: int32 [rows, columns/2], two IEEE halves a word, the even column in the low bits (the layout of
 * an f16 `Weight`). Values are rounded to the nearest half, ties to even; beyond ±65504 they saturate, so that one
 * outlier cannot make infinities of a whole row's scores.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { fromHalf, toHalf } from "./packedWeight";

const LARGEST_HALF = 65504;

export function holdsHalves(cache: Tensor): boolean {
  return cache.dtype === "int32";
}

/** Columns of keys and values, however they are kept. */
export function cacheColumns(cache: Tensor): number {
  return (cache.shape[1] ?? 0) * (holdsHalves(cache) ? 2 : 1);
}

/** The 16 bits that a value is kept as. */
export function cacheHalf(value: number): number {
  return toHalf(Math.max(-LARGEST_HALF, Math.min(LARGEST_HALF, value)));
}

/** Whole rows of values as words. */
export function packCache(values: Float32Array): Int32Array {
  return Int32Array.from(
    { length: values.length / 2 },
    (_, word) => cacheHalf(values[2 * word] ?? 0) | (cacheHalf(values[2 * word + 1] ?? 0) << 16),
  );
}

export function unpackCache(words: Float32Array | Int32Array): Float32Array {
  return Float32Array.from({ length: 2 * words.length }, (_, i) =>
    fromHalf(((words[i >> 1] ?? 0) >>> (16 * (i & 1))) & 0xffff),
  );
}
