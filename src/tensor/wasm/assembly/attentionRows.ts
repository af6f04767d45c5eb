/** One query row against many key or value rows, for any width: the pieces of attention.ts where queries come alone. */
import { madd, splat } from "./math";

/** Sums of four vectors' lanes as one vector. */
@inline
export function reduce4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.add(i32x4.shuffle(ab, cd, 0, 1, 4, 5), i32x4.shuffle(ab, cd, 2, 3, 6, 7));
}

/** out[j] = scale · q · rows[j], j < count; writes up to three floats past the end. */
export function dotRows(q: usize, rows: usize, stride: usize, count: i32, width: i32, scale: f32, out: usize): void {
  const s = splat(scale);
  const bytes4 = <usize>(width & ~3) * 4;
  const bytes = <usize>width * 4;
  for (let j = 0; j < count; j += 4) {
    const left = count - j;
    const r0 = rows + <usize>j * stride;
    const r1 = left > 1 ? r0 + stride : r0;
    const r2 = left > 2 ? r1 + stride : r1;
    const r3 = left > 3 ? r2 + stride : r2;
    let a0 = splat(0), a1 = splat(0), a2 = splat(0), a3 = splat(0);
    let d: usize = 0;
    for (; d + 16 < bytes4; d += 32) {
      let x = v128.load(q + d);
      a0 = madd(a0, x, v128.load(r0 + d));
      a1 = madd(a1, x, v128.load(r1 + d));
      a2 = madd(a2, x, v128.load(r2 + d));
      a3 = madd(a3, x, v128.load(r3 + d));
      x = v128.load(q + d, 16);
      a0 = madd(a0, x, v128.load(r0 + d, 16));
      a1 = madd(a1, x, v128.load(r1 + d, 16));
      a2 = madd(a2, x, v128.load(r2 + d, 16));
      a3 = madd(a3, x, v128.load(r3 + d, 16));
    }
    for (; d < bytes4; d += 16) {
      const x = v128.load(q + d);
      a0 = madd(a0, x, v128.load(r0 + d));
      a1 = madd(a1, x, v128.load(r1 + d));
      a2 = madd(a2, x, v128.load(r2 + d));
      a3 = madd(a3, x, v128.load(r3 + d));
    }
    let sum = reduce4(a0, a1, a2, a3);
    for (; d < bytes; d += 4) {
      const x = v128.load32_splat(q + d);
      sum = madd(sum, x, f32x4(load<f32>(r0 + d), load<f32>(r1 + d), load<f32>(r2 + d), load<f32>(r3 + d)));
    }
    v128.store(out + <usize>j * 4, f32x4.mul(s, sum));
  }
}

/** out (+)= Σ_j weights[j] · rows[j], columns in blocks of 32, 16, 4 and 1 so that the sums stay in registers. */
export function weightedSum(
  weights: usize, rows: usize, stride: usize, count: i32, width: i32, accumulate: bool, out: usize,
): void {
  const bytes = <usize>width * 4;
  const weightsEnd = weights + <usize>count * 4;
  let d: usize = 0;
  for (; d + 128 <= bytes; d += 128) {
    const o = out + d;
    let a0 = splat(0), a1 = splat(0), a2 = splat(0), a3 = splat(0), a4 = splat(0), a5 = splat(0), a6 = splat(0),
      a7 = splat(0);
    let r = rows + d;
    for (let w = weights; w < weightsEnd; w += 4) {
      const p = v128.load32_splat(w);
      a0 = madd(a0, p, v128.load(r));
      a1 = madd(a1, p, v128.load(r, 16));
      a2 = madd(a2, p, v128.load(r, 32));
      a3 = madd(a3, p, v128.load(r, 48));
      a4 = madd(a4, p, v128.load(r, 64));
      a5 = madd(a5, p, v128.load(r, 80));
      a6 = madd(a6, p, v128.load(r, 96));
      a7 = madd(a7, p, v128.load(r, 112));
      r += stride;
    }
    if (accumulate) {
      a0 = f32x4.add(a0, v128.load(o)); a1 = f32x4.add(a1, v128.load(o, 16));
      a2 = f32x4.add(a2, v128.load(o, 32)); a3 = f32x4.add(a3, v128.load(o, 48));
      a4 = f32x4.add(a4, v128.load(o, 64)); a5 = f32x4.add(a5, v128.load(o, 80));
      a6 = f32x4.add(a6, v128.load(o, 96)); a7 = f32x4.add(a7, v128.load(o, 112));
    }
    v128.store(o, a0); v128.store(o, a1, 16); v128.store(o, a2, 32); v128.store(o, a3, 48);
    v128.store(o, a4, 64); v128.store(o, a5, 80); v128.store(o, a6, 96); v128.store(o, a7, 112);
  }
  for (; d + 64 <= bytes; d += 64) {
    const o = out + d;
    let a0 = splat(0), a1 = splat(0), a2 = splat(0), a3 = splat(0);
    let r = rows + d;
    for (let w = weights; w < weightsEnd; w += 4) {
      const p = v128.load32_splat(w);
      a0 = madd(a0, p, v128.load(r));
      a1 = madd(a1, p, v128.load(r, 16));
      a2 = madd(a2, p, v128.load(r, 32));
      a3 = madd(a3, p, v128.load(r, 48));
      r += stride;
    }
    if (accumulate) {
      a0 = f32x4.add(a0, v128.load(o)); a1 = f32x4.add(a1, v128.load(o, 16));
      a2 = f32x4.add(a2, v128.load(o, 32)); a3 = f32x4.add(a3, v128.load(o, 48));
    }
    v128.store(o, a0); v128.store(o, a1, 16); v128.store(o, a2, 32); v128.store(o, a3, 48);
  }
  for (; d + 16 <= bytes; d += 16) {
    let a0 = accumulate ? v128.load(out + d) : splat(0);
    let r = rows + d;
    for (let w = weights; w < weightsEnd; w += 4) {
      a0 = madd(a0, v128.load32_splat(w), v128.load(r));
      r += stride;
    }
    v128.store(out + d, a0);
  }
  for (; d < bytes; d += 4) {
    let a0: f32 = accumulate ? load<f32>(out + d) : 0;
    let r = rows + d;
    for (let w = weights; w < weightsEnd; w += 4) {
      a0 += load<f32>(w) * load<f32>(r);
      r += stride;
    }
    store<f32>(out + d, a0);
  }
}

/** rows[j] += weights[j] · x for j < count. */
export function outerAdd(weights: usize, x: usize, rows: usize, stride: usize, count: i32, width: i32): void {
  const bytes = <usize>width * 4;
  let d: usize = 0;
  for (; d + 64 <= bytes; d += 64) {
    const x0 = v128.load(x + d), x1 = v128.load(x + d, 16), x2 = v128.load(x + d, 32), x3 = v128.load(x + d, 48);
    let r = rows + d;
    for (let j = 0; j < count; j++) {
      const w = v128.load32_splat(weights + <usize>j * 4);
      v128.store(r, madd(v128.load(r), w, x0));
      v128.store(r, madd(v128.load(r, 16), w, x1), 16);
      v128.store(r, madd(v128.load(r, 32), w, x2), 32);
      v128.store(r, madd(v128.load(r, 48), w, x3), 48);
      r += stride;
    }
  }
  for (; d + 16 <= bytes; d += 16) {
    const x0 = v128.load(x + d);
    let r = rows + d;
    for (let j = 0; j < count; j++) {
      v128.store(r, madd(v128.load(r), v128.load32_splat(weights + <usize>j * 4), x0));
      r += stride;
    }
  }
  for (; d < bytes; d += 4) {
    const x0 = load<f32>(x + d);
    let r = rows + d;
    for (let j = 0; j < count; j++) {
      store<f32>(r, load<f32>(r) + load<f32>(weights + <usize>j * 4) * x0);
      r += stride;
    }
  }
}
