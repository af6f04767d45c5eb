/**
 * The gradient's sum of squares and AdamW (Loshchilov & Hutter 2019, with PyTorch's order of operations) over flat
 * buffers.
 */
import { splat } from "./math";

/** Σ x² in four f64 lanes, joined in a fixed order. */
export function sumSquares(n: i32, x: usize, out: usize): void {
  let a = f64x2.splat(0), b = f64x2.splat(0);
  const end4 = <usize>(n & ~3) * 4;
  let i: usize = 0;
  for (; i < end4; i += 16) {
    const v = v128.load(x + i);
    const lo = f64x2.promote_low_f32x4(v);
    const hi = f64x2.promote_low_f32x4(i32x4.shuffle(v, v, 2, 3, 2, 3));
    a = f64x2.add(a, f64x2.mul(lo, lo));
    b = f64x2.add(b, f64x2.mul(hi, hi));
  }
  a = f64x2.add(a, b);
  let sum = f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1);
  for (; i < <usize>n * 4; i += 4) sum += <f64>load<f32>(x + i) * <f64>load<f32>(x + i);
  store<f32>(out, <f32>sum);
}

/**
 * θ ← θ·(1 − lr·wd) − lr/bias1 · m / (sqrt(v)/sqrt(bias2) + ε) with g clipped by maxNorm / (‖g‖ + 1e-6).
 * bias1 = 1 − β1^t and bias2 = 1 − β2^t come from the caller. Two passes: nothing is written if Σ g² or any new value
 * is not finite; `refused` is then NaN, else 0.
 */
export function adamw(
  n: i32, theta: usize, grad: usize, m: usize, v: usize, gradSquares: usize, refused: usize,
  learningRate: f64, beta1: f64, beta2: f64, epsilon: f64, weightDecay: f64, bias1: f64, bias2: f64, maxNorm: f64,
): void {
  const squares = <f64>load<f32>(gradSquares);
  store<f32>(refused, NaN);
  if (!(squares < Infinity)) return; // also NaN
  const clip = splat(<f32>min(1.0, maxNorm / (sqrt<f64>(squares) + 1e-6)));
  const keep = splat(<f32>(1 - learningRate * weightDecay));
  const step = splat(<f32>(learningRate / bias1));
  const rootBias = splat(<f32>(1 / sqrt<f64>(bias2)));
  const b1 = splat(<f32>beta1), c1 = splat(<f32>(1 - beta1));
  const b2 = splat(<f32>beta2), c2 = splat(<f32>(1 - beta2));
  const eps = splat(<f32>epsilon);
  const left = n & 3;
  const whole = <usize>(n - left) * 4;
  // 0 · x is 0 or NaN, so the sum of these is 0 while everything is finite.
  let zero = splat(0);
  for (let i: usize = 0; i < whole; i += 16) {
    const g = f32x4.mul(v128.load(grad + i), clip);
    const mm = newM(v128.load(m + i), g, b1, c1);
    const vv = newV(v128.load(v + i), g, b2, c2);
    zero = noughts(zero, mm, vv, newTheta(v128.load(theta + i), mm, vv, keep, step, rootBias, eps));
  }
  if (left > 0) {
    const g = f32x4.mul(some(grad + whole, left), clip);
    const mm = newM(some(m + whole, left), g, b1, c1);
    const vv = newV(some(v + whole, left), g, b2, c2);
    // In the lanes that are not there everything is 1: a step that overflows shows in the others as well.
    zero = noughts(zero, mm, vv, newTheta(some(theta + whole, left), mm, vv, keep, step, rootBias, eps));
  }
  const sum = f32x4.extract_lane(zero, 0) + f32x4.extract_lane(zero, 1) + f32x4.extract_lane(zero, 2) +
    f32x4.extract_lane(zero, 3);
  if (sum != 0) return;
  store<f32>(refused, 0);
  for (let i: usize = 0; i < whole; i += 16) {
    const g = f32x4.mul(v128.load(grad + i), clip);
    const mm = newM(v128.load(m + i), g, b1, c1);
    const vv = newV(v128.load(v + i), g, b2, c2);
    v128.store(m + i, mm);
    v128.store(v + i, vv);
    v128.store(theta + i, newTheta(v128.load(theta + i), mm, vv, keep, step, rootBias, eps));
  }
  if (left == 0) return;
  const g = f32x4.mul(some(grad + whole, left), clip);
  const mm = newM(some(m + whole, left), g, b1, c1);
  const vv = newV(some(v + whole, left), g, b2, c2);
  put(m + whole, mm, left);
  put(v + whole, vv, left);
  put(theta + whole, newTheta(some(theta + whole, left), mm, vv, keep, step, rootBias, eps), left);
}

// @ts-ignore: AssemblyScript's decorator
@inline
function newM(m: v128, g: v128, b1: v128, c1: v128): v128 {
  return f32x4.add(f32x4.mul(b1, m), f32x4.mul(c1, g));
}

// @ts-ignore: AssemblyScript's decorator
@inline
function newV(v: v128, g: v128, b2: v128, c2: v128): v128 {
  return f32x4.add(f32x4.mul(b2, v), f32x4.mul(c2, f32x4.mul(g, g)));
}

// @ts-ignore: AssemblyScript's decorator
@inline
function newTheta(theta: v128, mm: v128, vv: v128, keep: v128, step: v128, rootBias: v128, eps: v128): v128 {
  const change = f32x4.div(f32x4.mul(step, mm), f32x4.add(f32x4.mul(f32x4.sqrt(vv), rootBias), eps));
  return f32x4.sub(f32x4.mul(theta, keep), change);
}

// @ts-ignore: AssemblyScript's decorator
@inline
function noughts(sum: v128, a: v128, b: v128, c: v128): v128 {
  const zero = f32x4.splat(0);
  return f32x4.add(f32x4.add(sum, f32x4.mul(a, zero)), f32x4.add(f32x4.mul(b, zero), f32x4.mul(c, zero)));
}

/** One to three floats; other lanes 1, which no lane reads. */
function some(p: usize, left: i32): v128 {
  return f32x4(load<f32>(p), left > 1 ? load<f32>(p, 4) : 1, left > 2 ? load<f32>(p, 8) : 1, 1);
}

function put(p: usize, v: v128, left: i32): void {
  store<f32>(p, f32x4.extract_lane(v, 0));
  if (left > 1) store<f32>(p, f32x4.extract_lane(v, 1), 4);
  if (left > 2) store<f32>(p, f32x4.extract_lane(v, 2), 8);
}
