/**
 * Four query rows at once against many key or value rows: the pieces of attention.ts for neighbours that see the same
 * keys. Widths are multiples of 8; `lds`: bytes between the four rows of scores.
 */
import { reduce4 } from "./attentionRows";
import { madd, splat } from "./math";

/** scores[r][j] = scale · q[r] · rows[j], two keys at a time; writes up to one float past the end of each row. */
export function dotTile(
  q: usize, strideQ: usize, rows: usize, stride: usize, count: i32, width: i32, scale: f32, scores: usize, lds: usize,
): void {
  const s = splat(scale);
  const bytes = <usize>width * 4;
  const q1 = q + strideQ, q2 = q1 + strideQ, q3 = q2 + strideQ;
  for (let j = 0; j < count; j += 2) {
    const r0 = rows + <usize>j * stride;
    const r1 = count - j > 1 ? r0 + stride : r0;
    let a0 = splat(0), a1 = splat(0), b0 = splat(0), b1 = splat(0), c0 = splat(0), c1 = splat(0), d0 = splat(0),
      d1 = splat(0);
    for (let d: usize = 0; d < bytes; d += 16) {
      const k0 = v128.load(r0 + d), k1 = v128.load(r1 + d);
      let x = v128.load(q + d);
      a0 = madd(a0, x, k0); a1 = madd(a1, x, k1);
      x = v128.load(q1 + d);
      b0 = madd(b0, x, k0); b1 = madd(b1, x, k1);
      x = v128.load(q2 + d);
      c0 = madd(c0, x, k0); c1 = madd(c1, x, k1);
      x = v128.load(q3 + d);
      d0 = madd(d0, x, k0); d1 = madd(d1, x, k1);
    }
    const ab = f32x4.mul(s, reduce4(a0, a1, b0, b1)), cd = f32x4.mul(s, reduce4(c0, c1, d0, d1));
    const to = scores + <usize>j * 4;
    v128.store64_lane(to, ab, 0);
    v128.store64_lane(to + lds, ab, 1);
    v128.store64_lane(to + 2 * lds, cd, 0);
    v128.store64_lane(to + 3 * lds, cd, 1);
  }
}

/** out[r] (+)= Σ_j weights[r][j] · rows[j], eight columns at a time. */
export function weightedTile(
  weights: usize, lds: usize, rows: usize, stride: usize, count: i32, width: i32, accumulate: bool, out: usize,
  strideOut: usize,
): void {
  const bytes = <usize>width * 4;
  const end = weights + <usize>count * 4;
  const lds2 = lds + lds, lds3 = lds2 + lds;
  for (let d: usize = 0; d < bytes; d += 32) {
    let a0 = splat(0), a1 = splat(0), b0 = splat(0), b1 = splat(0), c0 = splat(0), c1 = splat(0), d0 = splat(0),
      d1 = splat(0);
    let r = rows + d;
    for (let w = weights; w < end; w += 4) {
      const v0 = v128.load(r), v1 = v128.load(r, 16);
      let p = v128.load32_splat(w);
      a0 = madd(a0, p, v0); a1 = madd(a1, p, v1);
      p = v128.load32_splat(w + lds);
      b0 = madd(b0, p, v0); b1 = madd(b1, p, v1);
      p = v128.load32_splat(w + lds2);
      c0 = madd(c0, p, v0); c1 = madd(c1, p, v1);
      p = v128.load32_splat(w + lds3);
      d0 = madd(d0, p, v0); d1 = madd(d1, p, v1);
      r += stride;
    }
    const o0 = out + d, o1 = o0 + strideOut, o2 = o1 + strideOut, o3 = o2 + strideOut;
    if (accumulate) {
      a0 = f32x4.add(a0, v128.load(o0)); a1 = f32x4.add(a1, v128.load(o0, 16));
      b0 = f32x4.add(b0, v128.load(o1)); b1 = f32x4.add(b1, v128.load(o1, 16));
      c0 = f32x4.add(c0, v128.load(o2)); c1 = f32x4.add(c1, v128.load(o2, 16));
      d0 = f32x4.add(d0, v128.load(o3)); d1 = f32x4.add(d1, v128.load(o3, 16));
    }
    v128.store(o0, a0); v128.store(o0, a1, 16); v128.store(o1, b0); v128.store(o1, b1, 16);
    v128.store(o2, c0); v128.store(o2, c1, 16); v128.store(o3, d0); v128.store(o3, d1, 16);
  }
}

/** rows[j] += Σ_r weights[r][j] · x[r], eight columns at a time. */
export function outerTile(
  weights: usize, lds: usize, x: usize, strideX: usize, rows: usize, stride: usize, count: i32, width: i32,
): void {
  const bytes = <usize>width * 4;
  const end = weights + <usize>count * 4;
  const lds2 = lds + lds, lds3 = lds2 + lds;
  for (let d: usize = 0; d < bytes; d += 32) {
    const p0 = x + d, p1 = p0 + strideX, p2 = p1 + strideX, p3 = p2 + strideX;
    const a0 = v128.load(p0), a1 = v128.load(p0, 16), b0 = v128.load(p1), b1 = v128.load(p1, 16);
    const c0 = v128.load(p2), c1 = v128.load(p2, 16), d0 = v128.load(p3), d1 = v128.load(p3, 16);
    let r = rows + d;
    for (let w = weights; w < end; w += 4) {
      let p = v128.load32_splat(w);
      let lo = madd(v128.load(r), p, a0), hi = madd(v128.load(r, 16), p, a1);
      p = v128.load32_splat(w + lds);
      lo = madd(lo, p, b0); hi = madd(hi, p, b1);
      p = v128.load32_splat(w + lds2);
      lo = madd(lo, p, c0); hi = madd(hi, p, c1);
      p = v128.load32_splat(w + lds3);
      lo = madd(lo, p, d0); hi = madd(hi, p, d1);
      v128.store(r, lo);
      v128.store(r, hi, 16);
      r += stride;
    }
  }
}
