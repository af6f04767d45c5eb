/**
 * The policy-gradient objective of one token per row and its gradient: see PolicyLossOptions and POLICY_LOSS_STATS in
 * kernels.ts. Infinity switches a clamp off. Values and sums are f64.
 *
 * kind 0 clip (p0…p3: clipLow, clipHigh, ratioMax, dualClip), 1 cispo (ratioLow, ratioHigh), 2 sapo (tauPositive,
 * tauNegative); sequences 0: ratios by token; estimator 0 k1, 1 abs, 2 k2, 3 k3.
 */
import { exp64 } from "./math";

/** exp of the mean clamped log-ratio of rows [first, end). */
function sequenceRatio(logprob: usize, oldLogprob: usize, first: i32, end: i32, limit: f64): f64 {
  let sum: f64 = 0;
  for (let t = <usize>first * 4; t < <usize>end * 4; t += 4) {
    const d = <f64>load<f32>(logprob + t) - <f64>load<f32>(oldLogprob + t);
    sum += max(-limit, min(limit, d));
  }
  return exp64(sum / <f64>(end - first));
}

export function policyLoss(
  n: i32, logprob: usize, oldLogprob: usize, refLogprob: usize, advantage: usize, weight: usize, sequences: usize,
  kind: i32, p0: f64, p1: f64, p2: f64, p3: f64, logRatioClamp: f64,
  beta: f64, estimator: i32, klExponentClamp: f64, klValueClamp: f64, dLogprob: usize, stats: usize,
): void {
  let loss: f64 = 0, count: f64 = 0, ratios: f64 = 0, approxKl: f64 = 0, refKl: f64 = 0;
  let low: f64 = 0, high: f64 = 0, bounded: f64 = 0;
  let known = -1;
  let shared: f64 = 1;
  for (let i: usize = 0; i < <usize>n * 4; i += 4) {
    const w = <f64>load<f32>(weight + i);
    if (w == 0) {
      store<f32>(dLogprob + i, 0);
      continue;
    }
    const lp = <f64>load<f32>(logprob + i);
    const a = <f64>load<f32>(advantage + i);
    const raw = lp - <f64>load<f32>(oldLogprob + i);
    const d = max(-logRatioClamp, min(logRatioClamp, raw));
    const unclamped = d == raw;
    let ratio: f64;
    if (sequences == 0) ratio = exp64(d);
    else {
      const first = load<i32>(sequences + 2 * i);
      if (first != known) {
        shared = sequenceRatio(logprob, oldLogprob, first, load<i32>(sequences + 2 * i, 4), logRatioClamp);
        known = first;
      }
      ratio = shared;
    }
    let used = ratio;
    let term: f64;
    let grad: f64;
    if (kind == 0) {
      used = min(ratio, p2);
      const free = -used * a;
      const bound = -max(1 - p0, min(1 + p1, used)) * a;
      term = max(free, bound);
      grad = ratio > p2 || free < bound || !unclamped ? 0 : -ratio * a;
      let over = a < 0 && ratio > p2;
      if (a < 0 && term > -p3 * a) { term = -p3 * a; grad = 0; over = true; }
      if (over) bounded += 1;
      if (a < 0 && used < 1 - p0) low += 1;
      if (a > 0 && used > 1 + p1) high += 1;
    } else if (kind == 1) {
      used = max(p0, min(p1, ratio));
      term = -used * a * lp;
      grad = -used * a;
      if (used > ratio) low += 1;
      if (used < ratio) high += 1;
    } else {
      const tau = a > 0 ? p0 : p1;
      const gate = 1 / (1 + exp64(-tau * (ratio - 1)));
      const spread = gate * (1 - gate);
      term = -4 / tau * gate * a;
      grad = spread > 0 && unclamped ? -4 * spread * ratio * a : 0;
    }
    const away = lp - <f64>load<f32>(refLogprob + i);
    let kl: f64;
    let klSlope: f64;
    if (estimator == 0) { kl = away; klSlope = 1; }
    else if (estimator == 1) { kl = abs(away); klSlope = away > 0 ? 1 : away < 0 ? -1 : 0; }
    else if (estimator == 2) { kl = 0.5 * away * away; klSlope = away; }
    else {
      const x = max(-klExponentClamp, min(klExponentClamp, -away));
      const e = exp64(x);
      kl = e - x - 1;
      klSlope = x == -away ? 1 - e : 0;
    }
    if (abs(kl) > klValueClamp) { kl = kl > 0 ? klValueClamp : -klValueClamp; klSlope = 0; }
    if (beta != 0) {
      term += beta * kl;
      grad += beta * klSlope;
    }
    store<f32>(dLogprob + i, <f32>(w * grad));
    loss += w * term;
    count += 1;
    ratios += used;
    approxKl -= d;
    refKl += kl;
  }
  store<f32>(stats, <f32>loss);
  store<f32>(stats, <f32>count, 4);
  store<f32>(stats, <f32>ratios, 8);
  store<f32>(stats, <f32>approxKl, 12);
  store<f32>(stats, <f32>refKl, 16);
  store<f32>(stats, <f32>low, 20);
  store<f32>(stats, <f32>high, 24);
  store<f32>(stats, <f32>bounded, 28);
}
