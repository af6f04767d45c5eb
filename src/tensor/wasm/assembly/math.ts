/**
 * Elementary functions on four lanes, built from IEEE add, multiply, divide, square root and bit
 * operations only, so that every machine computes the same bits (no relaxed SIMD, no JavaScript Math).
 *
 * exp: Cody–Waite reduction and the degree-5 minimax polynomial of Cephes `expf` (S. Moshier), ~1e-7 relative.
 * erfc: the rational Chebyshev fit of Numerical Recipes `erfcc` (§6.2), fractional error < 1.2e-7.
 * log, scalar f64: atanh series after splitting off the exponent, ~1e-15 relative; used once a row.
 */

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** Sum of four lanes, in the fixed order (0 + 2) + (1 + 3). */
// @ts-ignore: decorator
@inline
export function laneSum(v: v128): f32 {
  const pair = f32x4.add(v, i32x4.shuffle(v, v, 2, 3, 2, 3));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

// @ts-ignore: decorator
@inline
export function laneMax(v: v128): f32 {
  const pair = f32x4.max(v, i32x4.shuffle(v, v, 2, 3, 2, 3));
  return max(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/** e^x on four lanes. Below −87.3 the result is 0; above 88.3 it saturates near the largest float. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const floor = splat(-87.3);
  const clamped = f32x4.max(floor, f32x4.min(x, splat(88.3)));
  const n = f32x4.nearest(f32x4.mul(clamped, splat(1.44269504088896341)));
  let r = f32x4.sub(clamped, f32x4.mul(n, splat(0.693359375)));
  r = f32x4.add(r, f32x4.mul(n, splat(2.12194440e-4)));
  let p = f32x4.add(f32x4.mul(splat(1.9875691500e-4), r), splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r), splat(1.0));
  const scale = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(p, scale), f32x4.lt(x, floor)); // NaN stays NaN
}

// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(splat(x)), 0);
}

/** 1 / (1 + e^−x) on four lanes. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  return f32x4.div(splat(1.0), f32x4.add(splat(1.0), exp4(f32x4.neg(x))));
}

/** erfc(|z|) on four lanes, accurate in relative terms far into the tail. */
// @ts-ignore: decorator
@inline
export function erfcAbs4(z: v128): v128 {
  const a = f32x4.abs(z);
  const t = f32x4.div(splat(1.0), f32x4.add(splat(1.0), f32x4.mul(splat(0.5), a)));
  let p = f32x4.add(f32x4.mul(splat(0.17087277), t), splat(-0.82215223));
  p = f32x4.add(f32x4.mul(p, t), splat(1.48851587));
  p = f32x4.add(f32x4.mul(p, t), splat(-1.13520398));
  p = f32x4.add(f32x4.mul(p, t), splat(0.27886807));
  p = f32x4.add(f32x4.mul(p, t), splat(-0.18628806));
  p = f32x4.add(f32x4.mul(p, t), splat(0.09678418));
  p = f32x4.add(f32x4.mul(p, t), splat(0.37409196));
  p = f32x4.add(f32x4.mul(p, t), splat(1.00002368));
  p = f32x4.add(f32x4.mul(p, t), splat(-1.26551223));
  return f32x4.mul(t, exp4(f32x4.sub(p, f32x4.mul(a, a))));
}

/** Standard normal distribution function Φ(x) on four lanes. */
// @ts-ignore: decorator
@inline
export function normalCdf4(x: v128): v128 {
  const tail = f32x4.mul(splat(0.5), erfcAbs4(f32x4.mul(x, splat(0.70710678118654752))));
  return v128.bitselect(tail, f32x4.sub(splat(1.0), tail), f32x4.lt(x, splat(0.0)));
}

/** Natural logarithm of a positive finite number. */
export function log64(x: f64): f64 {
  let value = x;
  let shift: f64 = 0.0;
  if (value < 2.2250738585072014e-308) {
    value *= 18014398509481984.0; // 2^54, lifts subnormals
    shift = -54.0;
  }
  const bits = reinterpret<u64>(value);
  let e = <f64>(<i64>(bits >> 52) - 1023) + shift;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e += 1.0;
  }
  const s = (m - 1.0) / (m + 1.0);
  const z = s * s;
  let p: f64 = 1.0 / 19.0;
  p = p * z + 1.0 / 17.0;
  p = p * z + 1.0 / 15.0;
  p = p * z + 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  return e * 0.69314718055994531 + 2.0 * s * (1.0 + p * z);
}

/** e^x in f64 by reduction to |r| ≤ ln2/2 and a degree-13 Taylor sum; for the few exponentials that are scalars. */
export function exp64(x: f64): f64 {
  if (x < -708.0) return 0.0;
  if (x > 709.0) return Infinity;
  const n = nearest(x * 1.4426950408889634);
  const r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10;
  let term: f64 = 1.0;
  let sum: f64 = 1.0;
  for (let i = 1; i <= 13; i++) {
    term *= r / <f64>i;
    sum += term;
  }
  return sum * reinterpret<f64>((<i64>n + 1023) << 52);
}
