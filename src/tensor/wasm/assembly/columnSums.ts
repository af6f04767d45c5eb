/** Sums over rows: the gradient of a bias. */
import { splat } from "./math";

/** y += a · x over n floats. */
@inline
export function addScaled(y: usize, x: usize, a: f32, n: i32): void {
  const end4 = <usize>(n & ~3) * 4;
  const a4 = splat(a);
  let i: usize = 0;
  for (; i < end4; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), f32x4.mul(a4, v128.load(x + i))));
  for (; i < <usize>n * 4; i += 4) store<f32>(y + i, load<f32>(y + i) + a * load<f32>(x + i));
}

/** out [n] += column sums of x [rows, n]. */
export function columnSums(rows: i32, n: i32, x: usize, out: usize): void {
  for (let r = 0; r < rows; r++) addScaled(out, x + <usize>r * <usize>n * 4, 1, n);
}
