/**
 * Linear + log-softmax at given targets. Logits exist only for one block of rows × one chunk of the vocabulary;
 * chunks are joined by the online softmax (Milakov & Gimelshein 2018) carrying, per row, the maximum m,
 * s = Σ e^(l−m) and u = Σ e^(l−m)·(l−m), from which lse = m + ln s and entropy = ln s − u/s.
 */
import { multiply, multiplyTransposed } from "./gemm";
import { exp1, exp4, laneMax, laneSum, log64, splat } from "./math";
import { packWeight, packWeightTransposed } from "./packs";

/** Joins one row of logits (n floats, three floats of slack after them) to its state (m, s, u, target logit). */
function joinRow(logits: usize, n: i32, first: i32, target: i32, state: usize): void {
  const end = logits + <usize>n * 4;
  v128.store(end, splat(-Infinity));
  if (target >= first && target < first + n) store<f32>(state, load<f32>(logits + <usize>(target - first) * 4), 12);
  let top4 = v128.load(logits);
  for (let p = logits + 16; p < end; p += 16) top4 = f32x4.max(top4, v128.load(p));
  const before = load<f32>(state);
  const m = max(before, laneMax(top4));
  const m4 = splat(m);
  const lowest = splat(-1e30);
  let s4 = splat(0), u4 = splat(0);
  for (let p = logits; p < end; p += 16) {
    const shifted = f32x4.sub(v128.load(p), m4);
    const e = exp4(shifted);
    s4 = f32x4.add(s4, e);
    u4 = f32x4.add(u4, f32x4.mul(e, f32x4.max(lowest, shifted)));
  }
  let s = laneSum(s4), u = laneSum(u4);
  if (first > 0) {
    const shift = before - m;
    const e = exp1(shift);
    u += e * (load<f32>(state, 8) + load<f32>(state, 4) * shift);
    s += e * load<f32>(state, 4);
  }
  store<f32>(state, m);
  store<f32>(state, s, 4);
  store<f32>(state, u, 8);
}

/**
 * hidden [n, d], head [v, d] in any format; all outputs [n]. `chunk` tokens of the vocabulary and `block` rows at a
 * time. scratch (bytes): 128 + n·16 (states) + roundUp8(chunk)·d·4 (panels) + 8·d·4 + block·roundUp4(chunk + 4)·4
 * (logits).
 */
export function tokenLogprobs(
  n: i32, d: i32, v: i32, hidden: usize, format: i32, head: usize, scales: usize, targets: usize, temperature: f32,
  logprob: usize, lse: usize, entropy: usize, chunk: i32, block: i32, scratch: usize,
): void {
  const states = scratch + 128;
  const panels = states + <usize>n * 16;
  const rowScratch = panels + <usize>((chunk + 7) & ~7) * <usize>d * 4;
  const logits = rowScratch + <usize>d * 32;
  const ldl = <usize>((chunk + 7) & ~3) * 4;
  for (let r = 0; r < n; r++) v128.store(states + <usize>r * 16, f32x4(-Infinity, 0, 0, 0));
  for (let first = 0; first < v; first += chunk) {
    const count = min(chunk, v - first);
    packWeightTransposed(format, head, scales, d, first, count, <f32>1 / temperature, panels, rowScratch);
    for (let r0 = 0; r0 < n; r0 += block) {
      const rows = min(block, n - r0);
      multiply(rows, count, d, hidden + <usize>r0 * <usize>d * 4, <usize>d * 4, panels, logits, ldl, 0, 0, 0, false,
        scratch);
      for (let r = 0; r < rows; r++) {
        const row = <usize>(r0 + r);
        joinRow(logits + <usize>r * ldl, count, first, load<i32>(targets + row * 4), states + row * 16);
      }
    }
  }
  for (let r: usize = 0; r < <usize>n; r++) {
    const state = states + r * 16;
    const at = r * 4;
    if (load<i32>(targets + at) < 0) {
      store<f32>(logprob + at, 0);
      store<f32>(lse + at, 0);
      store<f32>(entropy + at, 0);
      continue;
    }
    const m = load<f32>(state), s = load<f32>(state, 4);
    const logS = log64(<f64>s);
    store<f32>(lse + at, <f32>(<f64>m + logS));
    store<f32>(logprob + at, <f32>(<f64>(load<f32>(state, 12) - m) - logS));
    store<f32>(entropy + at, <f32>(logS - <f64>load<f32>(state, 8) / <f64>s));
  }
}

/**
 * dLogits = dLogprob·(1[target] − softmax), recomputed chunk by chunk; the 1/T of the chain rule is carried by the
 * packed head and by `scale` of the weight gradient. dHidden [n, d] is written, dHead (f32, may be 0) accumulates.
 * scratch: as above without states, plus roundUp8(d)·chunk·4 (second panels) + (packed: chunk·d·4) +
 * multiplyTransposed's.
 */
export function tokenLogprobsGrad(
  n: i32, d: i32, v: i32, hidden: usize, format: i32, head: usize, scales: usize, targets: usize, temperature: f32,
  lse: usize, dLogprob: usize, dHidden: usize, dHead: usize, chunk: i32, block: i32, scratch: usize,
): void {
  const inverseT: f32 = <f32>1 / temperature;
  const hiddenStride = <usize>d * 4;
  const panels = scratch + 128;
  const rowScratch = panels + <usize>((chunk + 7) & ~7) * hiddenStride;
  const panelsDown = rowScratch + <usize>max(8, chunk) * hiddenStride;
  const logits = panelsDown + <usize>chunk * <usize>((d + 7) & ~7) * 4;
  const ldl = <usize>((chunk + 7) & ~3) * 4;
  const transposed = logits + <usize>block * ldl + 16;
  for (let first = 0; first < v; first += chunk) {
    const count = min(chunk, v - first);
    packWeightTransposed(format, head, scales, d, first, count, inverseT, panels, rowScratch);
    packWeight(format, head, scales, d, first, count, inverseT, panelsDown, rowScratch);
    for (let r0 = 0; r0 < n; r0 += block) {
      const rows = min(block, n - r0);
      const h = hidden + <usize>r0 * hiddenStride;
      multiply(rows, count, d, h, hiddenStride, panels, logits, ldl, 0, 0, 0, false, scratch);
      for (let r = 0; r < rows; r++) {
        const at = <usize>(r0 + r) * 4;
        const target = load<i32>(targets + at);
        const row = logits + <usize>r * ldl;
        const g: f32 = target < 0 ? 0 : load<f32>(dLogprob + at);
        const end = row + <usize>count * 4;
        if (g == 0) {
          memory.fill(row, 0, <usize>count * 4);
          continue;
        }
        const g4 = splat(-g), lse4 = splat(load<f32>(lse + at));
        for (let p = row; p < end; p += 16) v128.store(p, f32x4.mul(g4, exp4(f32x4.sub(v128.load(p), lse4))));
        if (target >= first && target < first + count) {
          const p = row + <usize>(target - first) * 4;
          store<f32>(p, load<f32>(p) + g);
        }
      }
      multiply(rows, d, count, logits, ldl, panelsDown, dHidden + <usize>r0 * hiddenStride, hiddenStride, 0, 0, 0,
        first > 0, scratch);
      if (dHead)
        multiplyTransposed(count, d, rows, logits, ldl, h, hiddenStride, inverseT, dHead + <usize>first * hiddenStride,
          hiddenStride, transposed);
    }
  }
}
