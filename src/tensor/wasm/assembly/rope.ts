/** Rotary position embedding in place, rotate-half pairing. */
import { splat } from "./math";

/** Rotates the pairs (i, i + headDim/2) of the first `heads` heads of every row by the angles of that row. */
export function rope(
  rows: i32, stride: usize, x: usize, cos: usize, sin: usize, heads: i32, headDim: i32, inverse: bool,
): void {
  const half = headDim >> 1;
  const halfBytes = <usize>half * 4;
  const end4 = <usize>(half & ~3) * 4;
  const sign: f32 = inverse ? -1 : 1;
  const sign4 = splat(sign);
  for (let r = 0; r < rows; r++) {
    const c = cos + <usize>r * halfBytes;
    const s = sin + <usize>r * halfBytes;
    for (let h = 0; h < heads; h++) {
      const a = x + <usize>r * stride + <usize>h * 2 * halfBytes;
      const b = a + halfBytes;
      let i: usize = 0;
      for (; i < end4; i += 16) {
        const co = v128.load(c + i), si = f32x4.mul(sign4, v128.load(s + i));
        const u = v128.load(a + i), v = v128.load(b + i);
        v128.store(a + i, f32x4.sub(f32x4.mul(u, co), f32x4.mul(v, si)));
        v128.store(b + i, f32x4.add(f32x4.mul(v, co), f32x4.mul(u, si)));
      }
      for (; i < halfBytes; i += 4) {
        const co = load<f32>(c + i), si = sign * load<f32>(s + i);
        const u = load<f32>(a + i), v = load<f32>(b + i);
        store<f32>(a + i, u * co - v * si);
        store<f32>(b + i, v * co + u * si);
      }
    }
  }
}
