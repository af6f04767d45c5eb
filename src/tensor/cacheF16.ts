/**
 * A KV cache in f16: int32 [rows, columns/2], two values a word, the even column in the low bits (the layout of an f16
 * `Weight`). Values are rounded to the nearest f16, ties to even, and saturate at ±65504: one outlier must not turn a
 * whole row of scores into infinities.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { fromF16, toF16 } from "./packedWeight";

const LARGEST_F16 = 65504;

export function isF16Cache(cache: Tensor): boolean {
  return cache.dtype === "int32";
}

/** Columns of keys and values, however they are kept. */
export function cacheColumns(cache: Tensor): number {
  return (cache.shape[1] ?? 0) * (isF16Cache(cache) ? 2 : 1);
}

/** The 16 bits that a value is kept as. */
export function toCacheF16(value: number): number {
  return toF16(Math.max(-LARGEST_F16, Math.min(LARGEST_F16, value)));
}

/** Whole rows of values as words. */
export function packCache(values: Float32Array): Int32Array {
  return Int32Array.from(
    { length: values.length / 2 },
    (_, word) => toCacheF16(values[2 * word] ?? 0) | (toCacheF16(values[2 * word + 1] ?? 0) << 16),
  );
}

export function unpackCache(words: Float32Array | Int32Array): Float32Array {
  return Float32Array.from({ length: 2 * words.length }, (_, i) =>
    fromF16(((words[i >> 1] ?? 0) >>> (16 * (i & 1))) & 0xffff),
  );
}
