/**
 * Attention over row ranges, one query row and head at a time: the scores of all visible keys are written to
 * scratch four at a time, turned into weights in place, and spent on the values. Two passes over a short
 * score row stay in the first cache, so nothing is recomputed (unlike the tiled online softmax of
 * FlashAttention, whose gradient identities, dS = P ∘ (dP − Σ dO∘O), the backward pass uses).
 */
import { exp4, laneMax, laneSum, log64, splat } from "./math";

// @ts-ignore: decorator
@inline
function madd(acc: v128, a: v128, b: v128): v128 {
  return f32x4.add(acc, f32x4.mul(a, b));
}

/** Sums of four vectors' lanes as one vector. */
// @ts-ignore: decorator
@inline
function reduce4(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(i32x4.shuffle(a, b, 0, 4, 1, 5), i32x4.shuffle(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(i32x4.shuffle(c, d, 0, 4, 1, 5), i32x4.shuffle(c, d, 2, 6, 3, 7));
  return f32x4.add(i32x4.shuffle(ab, cd, 0, 1, 4, 5), i32x4.shuffle(ab, cd, 2, 3, 6, 7));
}

/** out[j] = scale · q · rows[j], j < count; writes up to three floats past the end. */
function dotRows(q: usize, rows: usize, stride: usize, count: i32, width: i32, scale: f32, out: usize): void {
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
function weightedSum(weights: usize, rows: usize, stride: usize, count: i32, width: i32, accumulate: bool, out: usize): void {
  const bytes = <usize>width * 4;
  const weightsEnd = weights + <usize>count * 4;
  let d: usize = 0;
  for (; d + 128 <= bytes; d += 128) {
    const o = out + d;
    let a0 = splat(0), a1 = splat(0), a2 = splat(0), a3 = splat(0), a4 = splat(0), a5 = splat(0), a6 = splat(0), a7 = splat(0);
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
function outerAdd(weights: usize, x: usize, rows: usize, stride: usize, count: i32, width: i32): void {
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

// @ts-ignore: decorator
@inline
function rangeStart(visible: usize, n: i32, second: i32): i32 {
  return load<i32>(visible + <usize>n * 16 + <usize>second * 8);
}

/** Number of rows in a range; `extend` lengthens a non-empty second one. */
// @ts-ignore: decorator
@inline
function rangeCount(visible: usize, n: i32, second: i32, extend: i32): i32 {
  const at = visible + <usize>n * 16 + <usize>second * 8;
  const count = load<i32>(at, 4) - load<i32>(at);
  return count <= 0 ? 0 : count + (second ? extend : 0);
}

/** Query rows taken through one head before the next: their keys are mostly the same, and stay in the cache. */
const ROW_BLOCK: i32 = 32;

/**
 * q, k and v point at the first element of head 0; strides are bytes between rows.
 * `scores`: scratch of (longest visible count + 8) floats.
 */
export function attention(
  rows: i32, heads: i32, kvHeads: i32, headDim: i32, q: usize, strideQ: usize, k: usize, v: usize, strideKv: usize,
  visible: usize, extend: i32, out: usize, lse: usize, scores: usize,
): void {
  const scale: f32 = <f32>(1.0 / Math.sqrt(<f64>headDim));
  const headBytes = <usize>headDim * 4;
  const strideOut = <usize>heads * headBytes;
  for (let first = 0; first < rows; first += ROW_BLOCK) for (let h = 0; h < heads; h++) {
    const kvHead = <usize>(h * kvHeads / heads) * headBytes;
    for (let n = first; n < min(rows, first + ROW_BLOCK); n++) {
      const start0 = <usize>rangeStart(visible, n, 0), count0 = rangeCount(visible, n, 0, extend);
      const start1 = <usize>rangeStart(visible, n, 1), count1 = rangeCount(visible, n, 1, extend);
      const count = count0 + count1;
      const outRow = out + <usize>n * strideOut + <usize>h * headBytes;
      const lseAt = lse + (<usize>n * <usize>heads + <usize>h) * 4;
      if (count == 0) {
        memory.fill(outRow, 0, headBytes);
        store<f32>(lseAt, 0);
        continue;
      }
      const qRow = q + <usize>n * strideQ + <usize>h * headBytes;
      const scores1 = scores + <usize>count0 * 4;
      dotRows(qRow, k + start0 * strideKv + kvHead, strideKv, count0, headDim, scale, scores);
      dotRows(qRow, k + start1 * strideKv + kvHead, strideKv, count1, headDim, scale, scores1);
      const end = scores + <usize>count * 4;
      v128.store(end, splat(-Infinity));
      let top = v128.load(scores);
      for (let p = scores + 16; p < end; p += 16) top = f32x4.max(top, v128.load(p));
      const max = laneMax(top);
      const max4 = splat(max);
      let sum4 = splat(0);
      for (let p = scores; p < end; p += 16) {
        const e = exp4(f32x4.sub(v128.load(p), max4));
        v128.store(p, e);
        sum4 = f32x4.add(sum4, e);
      }
      const sum = laneSum(sum4);
      store<f32>(lseAt, max + <f32>log64(<f64>sum));
      weightedSum(scores, v + start0 * strideKv + kvHead, strideKv, count0, headDim, false, outRow);
      if (count1) weightedSum(scores1, v + start1 * strideKv + kvHead, strideKv, count1, headDim, true, outRow);
      const inverse: f32 = <f32>1 / sum;
      const inverse4 = splat(inverse);
      let d: usize = 0;
      for (; d + 16 <= headBytes; d += 16) v128.store(outRow + d, f32x4.mul(inverse4, v128.load(outRow + d)));
      for (; d < headBytes; d += 4) store<f32>(outRow + d, inverse * load<f32>(outRow + d));
    }
  }
}

/**
 * Adds into dk and dv of the keys each query sees, query rows in order, and writes dq: `dq`, `dk`, `dv` use the strides
 * of the fused matrix and must be zero on entry. `scratch`: 2 · (longest visible count + 8) floats.
 */
export function attentionGrad(
  rows: i32, heads: i32, kvHeads: i32, headDim: i32, q: usize, k: usize, v: usize, stride: usize, visible: usize, extend: i32,
  out: usize, lse: usize, dOut: usize, dq: usize, dk: usize, dv: usize, scratch: usize, scratch2: usize,
): void {
  const scale: f32 = <f32>(1.0 / Math.sqrt(<f64>headDim));
  const scale4 = splat(scale);
  const headBytes = <usize>headDim * 4;
  const strideOut = <usize>heads * headBytes;
  for (let first = 0; first < rows; first += ROW_BLOCK) for (let h = 0; h < heads; h++) {
    const kvHead = <usize>(h * kvHeads / heads) * headBytes;
    for (let n = first; n < min(rows, first + ROW_BLOCK); n++) {
      const count0 = rangeCount(visible, n, 0, extend), count1 = rangeCount(visible, n, 1, extend);
      const count = count0 + count1;
      if (count == 0) continue;
      const kv0 = <usize>rangeStart(visible, n, 0) * stride + kvHead;
      const kv1 = <usize>rangeStart(visible, n, 1) * stride + kvHead;
      const row = <usize>n * stride + <usize>h * headBytes;
      const outRow = <usize>n * strideOut + <usize>h * headBytes;
      const dO = dOut + outRow;
      let delta: f32 = 0;
      for (let d: usize = 0; d < headBytes; d += 4) delta += load<f32>(dO + d) * load<f32>(out + outRow + d);
      const bytes0 = <usize>count0 * 4;
      dotRows(q + row, k + kv0, stride, count0, headDim, scale, scratch);
      dotRows(q + row, k + kv1, stride, count1, headDim, scale, scratch + bytes0);
      dotRows(dO, v + kv0, stride, count0, headDim, 1, scratch2);
      dotRows(dO, v + kv1, stride, count1, headDim, 1, scratch2 + bytes0);
      // scratch: p; scratch2: dS · scale
      const lse4 = splat(load<f32>(lse + (<usize>n * <usize>heads + <usize>h) * 4));
      const delta4 = splat(delta);
      for (let j: usize = 0; j < <usize>count * 4; j += 16) {
        const p = exp4(f32x4.sub(v128.load(scratch + j), lse4));
        v128.store(scratch + j, p);
        v128.store(scratch2 + j, f32x4.mul(scale4, f32x4.mul(p, f32x4.sub(v128.load(scratch2 + j), delta4))));
      }
      weightedSum(scratch2, k + kv0, stride, count0, headDim, true, dq + row);
      outerAdd(scratch2, q + row, dk + kv0, stride, count0, headDim);
      outerAdd(scratch, dO, dv + kv0, stride, count0, headDim);
      if (count1) {
        weightedSum(scratch2 + bytes0, k + kv1, stride, count1, headDim, true, dq + row);
        outerAdd(scratch2 + bytes0, q + row, dk + kv1, stride, count1, headDim);
        outerAdd(scratch + bytes0, dO, dv + kv1, stride, count1, headDim);
      }
    }
  }
}

/** Longest count of visible rows over all queries: sizes the scratch. */
export function longestVisible(rows: i32, visible: usize, extend: i32): i32 {
  let longest = 0;
  for (let n = 0; n < rows; n++) {
    longest = max(longest, rangeCount(visible, n, 0, extend) + rangeCount(visible, n, 1, extend));
  }
  return longest;
}

/** Every non-empty range lies within [0, limit). */
export function visibleWithin(rows: i32, visible: usize, extend: i32, limit: i32): bool {
  for (let n = 0; n < rows; n++) {
    for (let second = 0; second < 2; second++) {
      const count = rangeCount(visible, n, second, extend);
      if (count && (rangeStart(visible, n, second) < 0 || rangeStart(visible, n, second) + count > limit)) return false;
    }
  }
  return true;
}
