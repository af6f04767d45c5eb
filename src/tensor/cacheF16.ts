/**
 * A KV cache in f16: int32 [rows, columns/2], two values per word, the even column in the low bits (as in an f16
 * `Weight`). Values round to the nearest f16, ties to even, and saturate at ±65504: one outlier must not turn a whole
 * row of scores into infinities.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { fromF16, toF16 } from "./packedWeight";

const LARGEST_F16 = 65504;

export function isF16Cache(cache: Tensor): boolean {
  return cache.dtype === "int32";
}

/** Number of columns of keys and values, in f32 or f16. */
export function cacheColumns(cache: Tensor): number {
  return (cache.shape[1] ?? 0) * (isF16Cache(cache) ? 2 : 1);
}

/** The 16 bits stored for a value. */
export function toCacheF16(value: number): number {
  return toF16(Math.max(-LARGEST_F16, Math.min(LARGEST_F16, value)));
}

/** Whole rows of values as packed words. */
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
