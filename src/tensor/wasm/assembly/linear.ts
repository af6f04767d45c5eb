/** Products with a weight in any format: pack it, multiply. Scratch begins with 128 bytes for a tile. */
import { multiply, multiplyTransposed } from "./gemm";
import { packWeight, packWeightTransposed } from "./packs";

/** x [n, in] · Wᵀ (+ bias) (+ residual) → y [n, out]. Scratch: 128 + roundUp8(out)·in·4 + 8·in·4 bytes. */
export function linear(
  n: i32, inputs: i32, outputs: i32, x: usize, format: i32, values: usize, scales: usize, bias: usize, residual: usize, y: usize, scratch: usize,
): void {
  const panels = scratch + 128;
  const rowScratch = panels + <usize>((outputs + 7) & ~7) * <usize>inputs * 4;
  packWeightTransposed(format, values, scales, inputs, 0, outputs, 1, panels, rowScratch);
  const stride = <usize>outputs * 4;
  multiply(n, outputs, inputs, x, <usize>inputs * 4, panels, y, stride, bias, residual, stride, false, scratch);
}

/** dy [n, out] · W (+ add [n, in]) → dx [n, in]. Scratch: 128 + roundUp8(in)·out·4, and out·in·4 more unless f32. */
export function linearGradInput(
  n: i32, inputs: i32, outputs: i32, dy: usize, format: i32, values: usize, scales: usize, add: usize, dx: usize, scratch: usize,
): void {
  const panels = scratch + 128;
  const rowScratch = panels + <usize>((inputs + 7) & ~7) * <usize>outputs * 4;
  packWeight(format, values, scales, inputs, 0, outputs, 1, panels, rowScratch);
  const stride = <usize>inputs * 4;
  multiply(n, inputs, outputs, dy, <usize>outputs * 4, panels, dx, stride, 0, add, stride, false, scratch);
}

/** dW [out, in] += dyᵀ · x. Scratch: that of multiplyTransposed(out, in). */
export function linearGradWeight(n: i32, inputs: i32, outputs: i32, x: usize, dy: usize, dw: usize, scratch: usize): void {
  const stride = <usize>inputs * 4;
  multiplyTransposed(outputs, inputs, n, dy, <usize>outputs * 4, x, stride, 1, dw, stride, scratch);
}

/** y[:, columns] += scale · h [n, r] · Bᵀ, B [count, r]; y points at the first of the columns. Scratch: 128 + roundUp8(count)·r·4. */
export function loraApply(n: i32, rank: i32, count: i32, y: usize, strideY: usize, h: usize, b: usize, scale: f32, scratch: usize): void {
  const panels = scratch + 128;
  packWeightTransposed(0, b, 0, rank, 0, count, scale, panels, 0);
  multiply(n, count, rank, h, <usize>rank * 4, panels, y, strideY, 0, 0, 0, true, scratch);
}

/** dh [n, r] = scale · dy[:, columns] · B; dB += scale · dyᵀ · h (0: none). Scratch: the larger of both products'. */
export function loraApplyGrad(
  n: i32, rank: i32, count: i32, dy: usize, strideDy: usize, h: usize, b: usize, scale: f32, dh: usize, db: usize, scratch: usize,
): void {
  const stride = <usize>rank * 4;
  packWeight(0, b, 0, rank, 0, count, scale, scratch + 128, 0);
  multiply(n, rank, count, dy, strideDy, scratch + 128, dh, stride, 0, 0, 0, false, scratch);
  if (db) multiplyTransposed(count, rank, n, dy, strideDy, h, stride, scale, db, stride, scratch);
}
