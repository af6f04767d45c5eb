/** LoRA's up-projection onto a block of columns, and its gradient. Scratch begins with 128 bytes for a tile. */
import { multiply, multiplyTransposed } from "./gemm";
import { packWeight, packWeightTransposed } from "./packs";

/**
 * y[:, columns] += scale · h [n, r] · Bᵀ, B [count, r]; y points at the first of the columns. Scratch: 128 +
 * roundUp8(count)·r·4.
 */
export function loraApply(
  n: i32, rank: i32, count: i32, y: usize, strideY: usize, h: usize, b: usize, scale: f32, scratch: usize,
): void {
  const panels = scratch + 128;
  packWeightTransposed(0, b, 0, rank, 0, count, scale, panels, 0);
  multiply(n, count, rank, h, <usize>rank * 4, panels, y, strideY, 0, 0, 0, true, scratch);
}

/** dh [n, r] = scale · dy[:, columns] · B; dB += scale · dyᵀ · h (0: none). Scratch: the larger of both products'. */
export function loraApplyGrad(
  n: i32, rank: i32, count: i32, dy: usize, strideDy: usize, h: usize, b: usize, scale: f32, dh: usize, db: usize,
  scratch: usize,
): void {
  const stride = <usize>rank * 4;
  packWeight(0, b, 0, rank, 0, count, scale, scratch + 128, 0);
  multiply(n, rank, count, dy, strideDy, scratch + 128, dh, stride, 0, 0, 0, false, scratch);
  if (db) multiplyTransposed(count, rank, n, dy, strideDy, h, stride, scale, db, stride, scratch);
}
