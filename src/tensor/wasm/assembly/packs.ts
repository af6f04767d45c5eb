/**
 * Weights in any of the three formats of `Weight`, unpacked to f32 rows. f16 is widened by moving its bits into a
 * float's position and multiplying by 2^112, which is exact for every finite half, subnormals included.
 */
import { packPanels, packPanelsTransposed } from "./gemm";
import { splat } from "./math";

export const F32: i32 = 0;
export const F16: i32 = 1;
export const INT4: i32 = 2;

/** Four f16 values in the low 16 bits of four lanes. */
@inline
function widen4(bits: v128): v128 {
  const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  return v128.or(f32x4.mul(magnitude, splat(reinterpret<f32>(0x77800000))), sign);
}

@inline
function widen(bits: u32): f32 {
  return f32x4.extract_lane(widen4(i32x4.splat(bits)), 0);
}

/** One row of `columns` f16 values (an even count) to f32. */
export function unpackF16(row: usize, columns: i32, out: usize): void {
  let j = 0;
  for (; j + 8 <= columns; j += 8) {
    const words = v128.load(row + <usize>j * 2);
    const even = widen4(v128.and(words, i32x4.splat(0xffff)));
    const odd = widen4(i32x4.shr_u(words, 16));
    const to = out + <usize>j * 4;
    v128.store(to, i32x4.shuffle(even, odd, 0, 4, 1, 5));
    v128.store(to, i32x4.shuffle(even, odd, 2, 6, 3, 7), 16);
  }
  for (; j < columns; j++) store<f32>(out + <usize>j * 4, widen(<u32>load<u16>(row + <usize>j * 2)));
}

/** One row of `columns` nibbles (a multiple of 32), one scale per 32, to f32. */
function unpackInt4(row: usize, scales: usize, columns: i32, out: usize): void {
  for (let j = 0; j < columns; j += 32) {
    const scale = splat(widen(<u32>load<u16>(scales + <usize>(j >> 5) * 2)));
    for (let w: usize = 0; w < 4; w++) {
      const word = i32x4.splat(load<u32>(row + <usize>j / 2 + w * 4));
      const to = out + <usize>j * 4 + w * 32;
      // Lane i takes nibble i: move it to the top by multiplying, then down again.
      const low = i32x4.shr_u(i32x4.mul(word, i32x4(1 << 28, 1 << 24, 1 << 20, 1 << 16)), 28);
      const high = i32x4.shr_u(i32x4.mul(word, i32x4(1 << 12, 1 << 8, 1 << 4, 1)), 28);
      v128.store(to, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.sub(low, i32x4.splat(8)))));
      v128.store(to, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.sub(high, i32x4.splat(8)))), 16);
    }
  }
}

/** Rows [first, first + rows) of a weight [·, columns] as f32 rows without gaps. */
export function unpackRows(
  format: i32, values: usize, scales: usize, columns: i32, first: i32, rows: i32, out: usize,
): void {
  for (let r = first; r < first + rows; r++) {
    const to = out + <usize>(r - first) * <usize>columns * 4;
    if (format == F32) memory.copy(to, values + <usize>r * <usize>columns * 4, <usize>columns * 4);
    else if (format == F16) unpackF16(values + <usize>r * <usize>columns * 2, columns, to);
    else {
      const scaleRow = scales + <usize>r * <usize>(((columns + 63) >> 6) * 4);
      unpackInt4(values + <usize>r * <usize>(columns >> 1), scaleRow, columns, to);
    }
  }
}

/** Panels of Wᵀ for rows [first, first + rows) of W (multiply x by them: x · Wᵀ). `rowScratch`: 8·columns floats. */
export function packWeightTransposed(
  format: i32, values: usize, scales: usize, columns: i32, first: i32, rows: i32, scale: f32, out: usize,
  rowScratch: usize,
): void {
  const stride = <usize>columns * 4;
  if (format == F32) {
    packPanelsTransposed(rows, columns, values + <usize>first * stride, stride, scale, out);
    return;
  }
  for (let j = 0; j < rows; j += 8) {
    const count = min(8, rows - j);
    unpackRows(format, values, scales, columns, first + j, count, rowScratch);
    packPanelsTransposed(count, columns, rowScratch, stride, scale, out + <usize>j * stride);
  }
}

/**
 * Panels of rows [first, first + rows) of W (multiply dy by them: dy · W). `rowScratch`: rows·columns floats unless
 * f32.
 */
export function packWeight(
  format: i32, values: usize, scales: usize, columns: i32, first: i32, rows: i32, scale: f32, out: usize,
  rowScratch: usize,
): void {
  const stride = <usize>columns * 4;
  let from = values + <usize>first * stride;
  if (format != F32) {
    unpackRows(format, values, scales, columns, first, rows, rowScratch);
    from = rowScratch;
  }
  packPanels(rows, columns, from, stride, scale, out);
}
