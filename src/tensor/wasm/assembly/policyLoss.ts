/** The policy-gradient loss of token rows. */
import { exp64 } from "./math";

/** See PolicyLossOptions and POLICY_LOSS_STATS in kernels.ts. Infinity switches a clamp off. Sums are kept in f64. */
export function policyLoss(
  n: i32, logprob: usize, oldLogprob: usize, refLogprob: usize, advantage: usize, weight: usize,
  clipLow: f64, clipHigh: f64, dualClip: f64, ratioMax: f64, logRatioClamp: f64, beta: f64, dLogprob: usize, stats: usize,
): void {
  let loss: f64 = 0, count: f64 = 0, ratios: f64 = 0, approxKl: f64 = 0, refKl: f64 = 0;
  let low: f64 = 0, high: f64 = 0, dual: f64 = 0;
  for (let i: usize = 0; i < <usize>n * 4; i += 4) {
    const w = <f64>load<f32>(weight + i);
    if (w == 0) {
      store<f32>(dLogprob + i, 0);
      continue;
    }
    const lp = <f64>load<f32>(logprob + i);
    const a = <f64>load<f32>(advantage + i);
    let slope: f64 = 1; // d ratio / d logprob is ratio · slope
    let d = lp - <f64>load<f32>(oldLogprob + i);
    if (d > logRatioClamp) { d = logRatioClamp; slope = 0; }
    if (d < -logRatioClamp) { d = -logRatioClamp; slope = 0; }
    let ratio = exp64(d);
    if (ratio > ratioMax) { ratio = ratioMax; slope = 0; }
    const clipped = max(1 - clipLow, min(1 + clipHigh, ratio));
    // max(−A·ratio, −A·clipped): the clip binds where it makes the objective smaller.
    let term = -a * ratio;
    let grad = -a * ratio * slope;
    if (-a * clipped > term) { term = -a * clipped; grad = 0; }
    if (a < 0) {
      if (ratio < 1 - clipLow) low += 1;
      if (term > -dualClip * a) { term = -dualClip * a; grad = 0; dual += 1; }
    } else if (a > 0 && ratio > 1 + clipHigh) high += 1;
    let back: f64 = 1;
    let r = <f64>load<f32>(refLogprob + i) - lp;
    if (r > logRatioClamp) { r = logRatioClamp; back = 0; }
    if (r < -logRatioClamp) { r = -logRatioClamp; back = 0; }
    const e = exp64(r);
    const k3 = e - r - 1;
    if (beta != 0) {
      term += beta * k3;
      grad += beta * (1 - e) * back;
    }
    store<f32>(dLogprob + i, <f32>(w * grad));
    loss += w * term;
    count += 1;
    ratios += ratio;
    approxKl -= d;
    refKl += k3;
  }
  store<f32>(stats, <f32>loss);
  store<f32>(stats, <f32>count, 4);
  store<f32>(stats, <f32>ratios, 8);
  store<f32>(stats, <f32>approxKl, 12);
  store<f32>(stats, <f32>refKl, 16);
  store<f32>(stats, <f32>low, 20);
  store<f32>(stats, <f32>high, 24);
  store<f32>(stats, <f32>dual, 28);
}
