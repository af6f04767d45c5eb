/** Products with a weight in any format: pack it, multiply. Scratch begins with 128 bytes for a tile. */
import { multiply, multiplyTransposed } from "./gemm";
import { packWeight, packWeightTransposed } from "./packs";

/** x [n, in] · Wᵀ (+ bias) (+ residual) → y [n, out]. Scratch: 128 + roundUp8(out)·in·4 + 8·in·4 bytes. */
export function linear(
  n: i32, inputs: i32, outputs: i32, x: usize, format: i32, values: usize, scales: usize, bias: usize, residual: usize,
  y: usize, scratch: usize,
): void {
  const panels = scratch + 128;
  const rowScratch = panels + <usize>((outputs + 7) & ~7) * <usize>inputs * 4;
  packWeightTransposed(format, values, scales, inputs, 0, outputs, 1, panels, rowScratch);
  const stride = <usize>outputs * 4;
  multiply(n, outputs, inputs, x, <usize>inputs * 4, panels, y, stride, bias, residual, stride, false, scratch);
}

/** dy [n, out] · W (+ add [n, in]) → dx [n, in]. Scratch: 128 + roundUp8(in)·out·4, and out·in·4 more unless f32. */
export function linearGradInput(
  n: i32, inputs: i32, outputs: i32, dy: usize, format: i32, values: usize, scales: usize, add: usize, dx: usize,
  scratch: usize,
): void {
  const panels = scratch + 128;
  const rowScratch = panels + <usize>((inputs + 7) & ~7) * <usize>outputs * 4;
  packWeight(format, values, scales, inputs, 0, outputs, 1, panels, rowScratch);
  const stride = <usize>inputs * 4;
  multiply(n, inputs, outputs, dy, <usize>outputs * 4, panels, dx, stride, 0, add, stride, false, scratch);
}

/** dW [out, in] += dyᵀ · x. Scratch: that of multiplyTransposed(out, in). */
export function linearGradWeight(
  n: i32, inputs: i32, outputs: i32, x: usize, dy: usize, dw: usize, scratch: usize,
): void {
  const stride = <usize>inputs * 4;
  multiplyTransposed(outputs, inputs, n, dy, <usize>outputs * 4, x, stride, 1, dw, stride, scratch);
}
