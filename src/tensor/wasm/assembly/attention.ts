/**
 * Attention over row ranges. The scores of all visible keys are written to scratch, turned into weights in place, and
 * spent on the values; two passes over a short score row stay in the first cache, so nothing is recomputed (unlike the
 * tiled online softmax of FlashAttention, whose gradient identity dS = P ∘ (dP − Σ dO∘O) the backward pass uses).
 *
 * Four neighbouring queries whose ranges begin at the same rows are taken together over the longest of their ranges;
 * keys that one of them does not see get the score −∞ there. Other queries go alone. Either way a query's sums run
 * over its keys in order.
 */
import { dotRows, outerAdd, weightedSum } from "./attentionRows";
import { dotTile, outerTile, weightedTile } from "./attentionTiles";
import { exp4, laneMax, laneSum, log64, splat } from "./math";

@inline
function rangeStart(visible: usize, n: i32, second: i32): i32 {
  return load<i32>(visible + <usize>n * 16 + <usize>second * 8);
}

/** Number of rows in a range; `cacheOffset` lengthens a non-empty second one. */
@inline
function rangeCount(visible: usize, n: i32, second: i32, cacheOffset: i32): i32 {
  const at = visible + <usize>n * 16 + <usize>second * 8;
  const count = load<i32>(at, 4) - load<i32>(at);
  return count <= 0 ? 0 : count + (second ? cacheOffset : 0);
}

/**
 * The longest count of this range among `tile` queries from n; −1 if two non-empty ones begin at different rows or one
 * sees nothing.
 */
function sharedCount(visible: usize, n: i32, tile: i32, second: i32, cacheOffset: i32): i32 {
  let longest = 0;
  for (let r = n; r < n + tile; r++) {
    const count = rangeCount(visible, r, second, cacheOffset);
    if ((count > 0) != (rangeCount(visible, n, second, cacheOffset) > 0)) return -1;
    if (count && rangeStart(visible, r, second) != rangeStart(visible, n, second)) return -1;
    longest = max(longest, count);
  }
  return longest;
}

/** 4 if the queries n … n+3 can be taken together, else 1. */
function tileAt(visible: usize, n: i32, rows: i32, cacheOffset: i32, headDim: i32): i32 {
  if (n + 4 > rows || (headDim & 7) != 0) return 1;
  const first = sharedCount(visible, n, 4, 0, cacheOffset);
  const second = first < 0 ? -1 : sharedCount(visible, n, 4, 1, cacheOffset);
  return second < 0 || first + second == 0 ? 1 : 4;
}

/** Scores a query does not have in its tile become −∞: past its own count in either range. */
function hide(scores: usize, own0: i32, count0: i32, own1: i32, count1: i32): void {
  for (let j = own0; j < count0; j++) store<f32>(scores + <usize>j * 4, -Infinity);
  for (let j = own1; j < count1; j++) store<f32>(scores + <usize>(count0 + j) * 4, -Infinity);
}

/**
 * Turns `count` scores (with space for four more) into e^(score − max) in place and returns their sum; the maximum goes
 * to `top`.
 */
function softmaxRow(scores: usize, count: i32, top: usize): f32 {
  const end = scores + <usize>count * 4;
  v128.store(end, splat(-Infinity));
  let top4 = v128.load(scores);
  for (let p = scores + 16; p < end; p += 16) top4 = f32x4.max(top4, v128.load(p));
  const largest = laneMax(top4);
  const largest4 = splat(largest);
  let sum4 = splat(0);
  for (let p = scores; p < end; p += 16) {
    const e = exp4(f32x4.sub(v128.load(p), largest4));
    v128.store(p, e);
    sum4 = f32x4.add(sum4, e);
  }
  store<f32>(top, largest);
  return laneSum(sum4);
}

/** Query rows taken through one head before the next: their keys are mostly the same, and stay in the cache. */
const ROW_BLOCK: i32 = 32;

/**
 * q, k and v point at the first element of head 0; strides are bytes between rows.
 * `scores`: scratch of 4 · (longest visible count + 12) floats.
 */
export function attention(
  rows: i32, heads: i32, kvHeads: i32, headDim: i32, q: usize, strideQ: usize, k: usize, v: usize, strideKv: usize,
  visible: usize, cacheOffset: i32, out: usize, lse: usize, scores: usize,
): void {
  const scale: f32 = <f32>(1.0 / Math.sqrt(<f64>headDim));
  const headBytes = <usize>headDim * 4;
  const strideOut = <usize>heads * headBytes;
  for (let first = 0; first < rows; first += ROW_BLOCK) for (let h = 0; h < heads; h++) {
    const kvHead = <usize>(h * kvHeads / heads) * headBytes;
    const blockEnd = min(rows, first + ROW_BLOCK);
    let tile = 1;
    for (let n = first; n < blockEnd; n += tile) {
      tile = tileAt(visible, n, blockEnd, cacheOffset, headDim);
      const count0 = sharedCount(visible, n, tile, 0, cacheOffset);
      const count1 = sharedCount(visible, n, tile, 1, cacheOffset);
      const count = count0 + count1;
      const lds = <usize>((count + 8) & ~3) * 4;
      const outRow = out + <usize>n * strideOut + <usize>h * headBytes;
      const lseAt = lse + (<usize>n * <usize>heads + <usize>h) * 4;
      if (count == 0) {
        memory.fill(outRow, 0, headBytes);
        store<f32>(lseAt, 0);
        continue;
      }
      const qRow = q + <usize>n * strideQ + <usize>h * headBytes;
      const start0 = <usize>rangeStart(visible, n, 0) * strideKv + kvHead;
      const start1 = <usize>rangeStart(visible, n, 1) * strideKv + kvHead;
      const scores1 = scores + <usize>count0 * 4;
      if (tile == 4) {
        dotTile(qRow, strideQ, k + start0, strideKv, count0, headDim, scale, scores, lds);
        dotTile(qRow, strideQ, k + start1, strideKv, count1, headDim, scale, scores1, lds);
      } else {
        dotRows(qRow, k + start0, strideKv, count0, headDim, scale, scores);
        dotRows(qRow, k + start1, strideKv, count1, headDim, scale, scores1);
      }
      const top = scores + 4 * lds; // of each query: its maximum, then 1 / sum
      for (let r = 0; r < tile; r++) {
        const row = scores + <usize>r * lds;
        const own0 = rangeCount(visible, n + r, 0, cacheOffset), own1 = rangeCount(visible, n + r, 1, cacheOffset);
        hide(row, own0, count0, own1, count1);
        const sum = softmaxRow(row, count, top);
        store<f32>(lseAt + <usize>(r * heads) * 4, load<f32>(top) + <f32>log64(<f64>sum));
        const inverse = splat(<f32>1 / sum);
        for (let j: usize = 0; j < <usize>count * 4; j += 16) {
          v128.store(row + j, f32x4.mul(inverse, v128.load(row + j)));
        }
      }
      if (tile == 4) {
        weightedTile(scores, lds, v + start0, strideKv, count0, headDim, false, outRow, strideOut);
        if (count1) weightedTile(scores1, lds, v + start1, strideKv, count1, headDim, true, outRow, strideOut);
      } else {
        weightedSum(scores, v + start0, strideKv, count0, headDim, false, outRow);
        if (count1) weightedSum(scores1, v + start1, strideKv, count1, headDim, true, outRow);
      }
    }
  }
}

/**
 * Adds into dq, dk and dv, query rows in order; they use the strides of the fused matrix and must be zero on entry.
 * `weights` and `slopes`: scratch of 4 · (longest visible count + 12) floats each.
 */
export function attentionGrad(
  rows: i32, heads: i32, kvHeads: i32, headDim: i32, q: usize, k: usize, v: usize, stride: usize, visible: usize,
  cacheOffset: i32,
  out: usize, lse: usize, dOut: usize, dq: usize, dk: usize, dv: usize, weights: usize, slopes: usize,
): void {
  const scale: f32 = <f32>(1.0 / Math.sqrt(<f64>headDim));
  const scale4 = splat(scale);
  const headBytes = <usize>headDim * 4;
  const strideOut = <usize>heads * headBytes;
  for (let first = 0; first < rows; first += ROW_BLOCK) for (let h = 0; h < heads; h++) {
    const kvHead = <usize>(h * kvHeads / heads) * headBytes;
    const blockEnd = min(rows, first + ROW_BLOCK);
    let tile = 1;
    for (let n = first; n < blockEnd; n += tile) {
      tile = tileAt(visible, n, blockEnd, cacheOffset, headDim);
      const count0 = sharedCount(visible, n, tile, 0, cacheOffset);
      const count1 = sharedCount(visible, n, tile, 1, cacheOffset);
      const count = count0 + count1;
      if (count == 0) continue;
      const lds = <usize>((count + 8) & ~3) * 4;
      const kv0 = <usize>rangeStart(visible, n, 0) * stride + kvHead;
      const kv1 = <usize>rangeStart(visible, n, 1) * stride + kvHead;
      const row = <usize>n * stride + <usize>h * headBytes;
      const outRow = <usize>n * strideOut + <usize>h * headBytes;
      const dO = dOut + outRow;
      const weights1 = weights + <usize>count0 * 4, slopes1 = slopes + <usize>count0 * 4;
      if (tile == 4) {
        dotTile(q + row, stride, k + kv0, stride, count0, headDim, scale, weights, lds);
        dotTile(q + row, stride, k + kv1, stride, count1, headDim, scale, weights1, lds);
        dotTile(dO, strideOut, v + kv0, stride, count0, headDim, 1, slopes, lds);
        dotTile(dO, strideOut, v + kv1, stride, count1, headDim, 1, slopes1, lds);
      } else {
        dotRows(q + row, k + kv0, stride, count0, headDim, scale, weights);
        dotRows(q + row, k + kv1, stride, count1, headDim, scale, weights1);
        dotRows(dO, v + kv0, stride, count0, headDim, 1, slopes);
        dotRows(dO, v + kv1, stride, count1, headDim, 1, slopes1);
      }
      for (let r = 0; r < tile; r++) {
        const p = weights + <usize>r * lds, s = slopes + <usize>r * lds;
        hide(p, rangeCount(visible, n + r, 0, cacheOffset), count0, rangeCount(visible, n + r, 1, cacheOffset), count1);
        let delta: f32 = 0;
        const o = <usize>r * strideOut;
        for (let d: usize = 0; d < headBytes; d += 4) delta += load<f32>(dO + o + d) * load<f32>(out + outRow + o + d);
        const lse4 = splat(load<f32>(lse + (<usize>(n + r) * <usize>heads + <usize>h) * 4)), delta4 = splat(delta);
        for (let j: usize = 0; j < <usize>count * 4; j += 16) {
          const e = exp4(f32x4.sub(v128.load(p + j), lse4));
          v128.store(p + j, e);
          v128.store(s + j, f32x4.mul(scale4, f32x4.mul(e, f32x4.sub(v128.load(s + j), delta4))));
        }
      }
      if (tile == 4) {
        weightedTile(slopes, lds, k + kv0, stride, count0, headDim, true, dq + row, stride);
        weightedTile(slopes1, lds, k + kv1, stride, count1, headDim, true, dq + row, stride);
        outerTile(slopes, lds, q + row, stride, dk + kv0, stride, count0, headDim);
        outerTile(slopes1, lds, q + row, stride, dk + kv1, stride, count1, headDim);
        outerTile(weights, lds, dO, strideOut, dv + kv0, stride, count0, headDim);
        outerTile(weights1, lds, dO, strideOut, dv + kv1, stride, count1, headDim);
      } else {
        weightedSum(slopes, k + kv0, stride, count0, headDim, true, dq + row);
        weightedSum(slopes1, k + kv1, stride, count1, headDim, true, dq + row);
        outerAdd(slopes, q + row, dk + kv0, stride, count0, headDim);
        outerAdd(slopes1, q + row, dk + kv1, stride, count1, headDim);
        outerAdd(weights, dO, dv + kv0, stride, count0, headDim);
        outerAdd(weights1, dO, dv + kv1, stride, count1, headDim);
      }
    }
  }
}

/** Bound on the keys of any tile: the longest first range plus the longest second one. Sizes the scratch. */
export function longestVisible(rows: i32, visible: usize, cacheOffset: i32): i32 {
  let first = 0, second = 0;
  for (let n = 0; n < rows; n++) {
    first = max(first, rangeCount(visible, n, 0, cacheOffset));
    second = max(second, rangeCount(visible, n, 1, cacheOffset));
  }
  return first + second;
}

/** Every non-empty range lies within [0, limit). */
export function visibleWithin(rows: i32, visible: usize, cacheOffset: i32, limit: i32): bool {
  for (let n = 0; n < rows; n++) {
    for (let second = 0; second < 2; second++) {
      const count = rangeCount(visible, n, second, cacheOffset);
      if (count && (rangeStart(visible, n, second) < 0 || rangeStart(visible, n, second) + count > limit)) return false;
    }
  }
  return true;
}
