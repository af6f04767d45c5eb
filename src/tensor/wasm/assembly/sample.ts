/**
 * The next token of each row of logits. Random bits and the draw rule are those of src/tensor/random.ts: walk the
 * tokens in order and take the first whose cumulative probability exceeds u·Σ. Sums are f32, one after the other.
 */
import { exp4, laneMax, log64, splat } from "./math";

function mix(h: u32): u32 {
  let x = h;
  x ^= x >> 16;
  x *= 0x7feb352d;
  x ^= x >> 15;
  x *= 0x846ca68b;
  x ^= x >> 16;
  return x;
}

export function randomUniform(seed: u32, step: u32, row: u32, position: u32): f32 {
  let h = mix(seed ^ 0x9e3779b9);
  h = mix(h + step * 0x85ebca6b);
  h = mix(h + row * 0xc2b2ae35);
  h = mix(h + position * 0x27d4eb2f);
  return <f32>((<f64>(h >> 8) + 0.5) / 16777216.0);
}

/** log(1 + e^x) */
function softplus(x: f64): f64 {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Smallest logit kept by top-k, and how many logits equal to it are kept (the first ones). */
function kthLargest(shifted: usize, v: i32, k: i32): f32 {
  let bound: f32 = Infinity;
  let taken = 0;
  while (taken < k) {
    let next: f32 = -Infinity;
    for (let j: usize = 0; j < <usize>v * 4; j += 4) {
      const x = load<f32>(shifted + j);
      if (x < bound && x > next) next = x;
    }
    if (next == -Infinity) return bound;
    bound = next;
    for (let j: usize = 0; j < <usize>v * 4; j += 4) if (load<f32>(shifted + j) == bound) taken++;
  }
  return bound;
}

/** Logit of a suppressed token over T, relative to the largest that may be drawn. */
function scaled(logits: usize, suppressed: usize, s: i32, top: f32, temperature: f32): f64 {
  const logit = load<f32>(logits + <usize>load<i32>(suppressed + <usize>s * 4) * 4);
  return (<f64>logit - <f64>top) / <f64>temperature;
}

/**
 * logits [rows, v]; tokens, logprobs, entropies, allowed [rows, capacity], written in column `position`. `stops`:
 * stopCount ids; `suppressed`: suppressedCount ids below v, never drawn. Log-probability and entropy are those over all
 * tokens; `allowed` is log P of those not suppressed, −log1p(P_suppressed / P_allowed).
 * streams [rows, 2]: row part of the random counter, and the position that column 0 has.
 * `scratch`: 2·(v + 4) floats.
 */
export function sample(
  rows: i32, v: i32, logits: usize, tokens: usize, logprobs: usize, entropies: usize, next: usize, done: usize,
  streams: usize, allowed: usize,
  capacity: i32, temperature: f32, greedy: bool, topK: i32, seed: u32, step: u32, position: i32,
  stops: usize, stopCount: i32, suppressed: usize, suppressedCount: i32, padToken: i32, scratch: usize,
): void {
  const inverseT = splat(<f32>1 / temperature);
  const shifted = scratch;
  const weights = scratch + <usize>(v + 4) * 4;
  const bytes = <usize>v * 4;
  for (let r = 0; r < rows; r++) {
    const row = <usize>r * 4;
    const at = (<usize>r * <usize>capacity + <usize>position) * 4;
    if (load<i32>(done + row)) {
      store<i32>(tokens + at, padToken);
      store<f32>(logprobs + at, 0);
      store<f32>(entropies + at, 0);
      store<f32>(allowed + at, 0);
      store<i32>(next + row, padToken);
      continue;
    }
    const own = logits + <usize>r * bytes;
    memory.copy(shifted, own, bytes);
    for (let s = 0; s < suppressedCount; s++)
      store<f32>(shifted + <usize>load<i32>(suppressed + <usize>s * 4) * 4, -Infinity);
    v128.store(shifted + bytes, splat(-Infinity));
    let top4 = splat(-Infinity);
    for (let j: usize = 0; j < bytes; j += 16) top4 = f32x4.max(top4, v128.load(shifted + j));
    const top = laneMax(top4);
    const shift = splat(top);
    for (let j: usize = 0; j < bytes; j += 16) {
      const x = f32x4.mul(f32x4.sub(v128.load(shifted + j), shift), inverseT);
      v128.store(shifted + j, x);
      v128.store(weights + j, exp4(x));
    }
    let sum: f32 = 0, moment: f32 = 0;
    for (let j: usize = 0; j < bytes; j += 4) {
      const p = load<f32>(weights + j);
      sum += p;
      if (p > 0) moment += p * load<f32>(shifted + j);
    }
    const logSum = log64(<f64>sum);
    // Of the suppressed tokens: sum and moment of their probabilities relative to their largest.
    let logAllowed: f64 = 0, suppressedEntropy: f64 = 0;
    if (suppressedCount > 0) {
      let largest: f64 = -Infinity;
      for (let s = 0; s < suppressedCount; s++)
        largest = Math.max(largest, scaled(own, suppressed, s, top, temperature));
      let others: f64 = 0;
      for (let s = 0; s < suppressedCount; s++)
        others += Math.exp(scaled(own, suppressed, s, top, temperature) - largest);
      logAllowed = -softplus(largest + Math.log(others) - logSum);
      for (let s = 0; s < suppressedCount; s++) {
        const logp = scaled(own, suppressed, s, top, temperature) - logSum + logAllowed;
        const p = Math.exp(logp);
        if (p > 0) suppressedEntropy -= p * logp;
      }
    }
    let token = 0;
    if (greedy) {
      while (token < v - 1 && load<f32>(shifted + <usize>token * 4) != 0) token++;
    } else {
      let kept = sum;
      if (topK > 0 && topK < v) {
        const bound = kthLargest(shifted, v, topK);
        let ties = topK;
        for (let j: usize = 0; j < bytes; j += 4) if (load<f32>(shifted + j) > bound) ties--;
        kept = 0;
        for (let j: usize = 0; j < bytes; j += 4) {
          const x = load<f32>(shifted + j);
          if (x < bound || (x == bound && ties-- <= 0)) store<f32>(weights + j, 0);
          kept += load<f32>(weights + j);
        }
      }
      const counter = load<u32>(streams + 2 * row, 4) + <u32>position;
      const limit = randomUniform(seed, step, load<u32>(streams + 2 * row), counter) * kept;
      let cumulative: f32 = 0;
      for (let j = 0; j < v; j++) {
        const p = load<f32>(weights + <usize>j * 4);
        if (p > 0) {
          token = j;
          cumulative += p;
          if (cumulative > limit) break;
        }
      }
    }
    store<i32>(tokens + at, token);
    store<f32>(logprobs + at, <f32>(<f64>load<f32>(shifted + <usize>token * 4) - logSum + logAllowed));
    const drawnEntropy = logSum - <f64>moment / <f64>sum;
    const entropy =
      suppressedCount > 0 ? Math.exp(logAllowed) * (drawnEntropy - logAllowed) + suppressedEntropy : drawnEntropy;
    store<f32>(entropies + at, <f32>entropy);
    store<f32>(allowed + at, <f32>logAllowed);
    store<i32>(next + row, token);
    for (let s = 0; s < stopCount; s++) if (load<i32>(stops + <usize>s * 4) == token) store<i32>(done + row, 1);
  }
}
