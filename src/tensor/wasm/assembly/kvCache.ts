/**
 * Writes to the KV cache, in f32 and in f16 (src/tensor/cacheF16.ts), and the widening of the rows that queries see.
 */
import { unpackF16 } from "./packs";

/**
 * Row r of x (byte stride) to row rows[r] + cacheOffset of `into`; negative entries are skipped. False if one lies
 * outside.
 */
export function copyRows(
  n: i32, x: usize, stride: usize, bytes: usize, rows: usize, cacheOffset: i32, into: usize, capacity: i32,
): bool {
  for (let r = 0; r < n; r++) {
    const row = load<i32>(rows + <usize>r * 4);
    if (row < 0) continue;
    if (row + cacheOffset < 0 || row + cacheOffset >= capacity) return false;
    memory.copy(into + <usize>(row + cacheOffset) * bytes, x + <usize>r * stride, bytes);
  }
  return true;
}

/** The nearest f16, ties to even, as 16 bits; saturated at 65504. */
@inline
function narrow(value: f32): u32 {
  const bits = reinterpret<u32>(value);
  const sign = (bits >> 16) & 0x8000;
  let magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude > 0x477fe000) magnitude = 0x477fe000;
  // Below 2^-14 f16 values are multiples of 2^-24: adding 1/2 rounds to them.
  if (magnitude < 0x38800000) return sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + <f32>0.5) - 0x3f000000);
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13);
}

/** As copyRows, into rows of `columns` f16 values. */
export function copyRowsToF16(
  n: i32, x: usize, stride: usize, columns: i32, rows: usize, cacheOffset: i32, into: usize, capacity: i32,
): bool {
  for (let r = 0; r < n; r++) {
    const row = load<i32>(rows + <usize>r * 4);
    if (row < 0) continue;
    if (row + cacheOffset < 0 || row + cacheOffset >= capacity) return false;
    const from = x + <usize>r * stride, to = into + <usize>(row + cacheOffset) * <usize>columns * 2;
    for (let j: usize = 0; j < <usize>columns; j += 2) {
      store<u32>(to + j * 2, narrow(load<f32>(from + j * 4)) | (narrow(load<f32>(from + j * 4, 4)) << 16));
    }
  }
  return true;
}

/**
 * Widen the rows that any query sees (visible [n, 4], as in attention.ts) into the same rows of `out`. Rows
 * that an earlier query's overlapping range covered are skipped. → rows widened
 */
export function unpackVisible(n: i32, visible: usize, cacheOffset: i32, columns: i32, cache: usize, out: usize): i32 {
  let widened = 0;
  for (let second = 0; second < 2; second++) {
    let start = 0, end = 0;
    for (let r = 0; r < n; r++) {
      const at = visible + <usize>r * 16 + <usize>second * 8;
      const first = load<i32>(at);
      let last = load<i32>(at, 4);
      if (last <= first) continue;
      if (second) last += cacheOffset;
      const from = first >= start && first < end ? min(end, last) : first;
      for (let row = from; row < last; row++, widened++) {
        unpackF16(cache + <usize>row * <usize>columns * 2, columns, out + <usize>row * <usize>columns * 4);
      }
      if (from == first || last > end) { start = from == first ? first : start; end = last; }
    }
  }
  return widened;
}
