/**
 * Elementary functions on four lanes, built from IEEE add, multiply, divide, square root and bit operations only
 * (no JavaScript Math), so that one build computes the same bits on every machine; the fused build (`madd`) does so on
 * every machine with a fused multiply-add, which is every one sold in the last decade.
 *
 * exp: Cody–Waite reduction and the degree-5 minimax polynomial of Cephes `expf` (S. Moshier), ~1e-7 relative.
 * erfc: the rational Chebyshev fit of Numerical Recipes `erfcc` (§6.2), fractional error < 1.2e-7.
 * log, scalar f64: atanh series after splitting off the exponent, ~1e-15 relative; used once a row.
 */

/**
 * acc + a·b. The kernels are compiled twice: with relaxed SIMD the product is not rounded before the sum where the
 * processor has a fused multiply-add (one instruction for two: 1.2 to 1.4 times the matrix products, measured in
 * turns), without it is. binaries.ts chooses the build that the engine takes.
 */
@inline
export function madd(acc: v128, a: v128, b: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, acc);
  return f32x4.add(acc, f32x4.mul(a, b));
}

@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** Sum of four lanes, in the fixed order (0 + 2) + (1 + 3). */
@inline
export function laneSum(v: v128): f32 {
  const pair = f32x4.add(v, i32x4.shuffle(v, v, 2, 3, 2, 3));
  return f32x4.extract_lane(pair, 0) + f32x4.extract_lane(pair, 1);
}

@inline
export function laneMax(v: v128): f32 {
  const pair = f32x4.max(v, i32x4.shuffle(v, v, 2, 3, 2, 3));
  return max(f32x4.extract_lane(pair, 0), f32x4.extract_lane(pair, 1));
}

/**
 * Where the polynomials' constants lie: 23 floats written by the backend at start-up. V8 rebuilds an immediate vector
 * at every use (3 instructions); a broadcasting load is one. Measured: 2.0 → 1.3 ns per exponential.
 */
let constants: usize = 0;

/** Byte offsets of the constants. */
const EXP_LOW: usize = 0, EXP_HIGH: usize = 4, LOG2_E: usize = 8;
const ROUND: usize = 12, LN2_HIGH: usize = 16, LN2_LOW: usize = 20;
const EXP_5: usize = 24, EXP_4: usize = 28, EXP_3: usize = 32, EXP_2: usize = 36, EXP_1: usize = 40, EXP_0: usize = 44;
const ONE: usize = 48, ERFC: usize = 52;

/** Writes the constants at `at` (23 floats) and reads them from there ever after. */
export function placeConstants(at: usize): void {
  constants = at;
  store<f32>(at, -87.3, EXP_LOW);
  store<f32>(at, 88.3, EXP_HIGH);
  store<f32>(at, 1.44269504088896341, LOG2_E);
  store<f32>(at, 12582912.0, ROUND); // 1.5 · 2^23: adding it rounds to an integer in the low bits
  store<f32>(at, 0.693359375, LN2_HIGH);
  store<f32>(at, -2.12194440e-4, LN2_LOW);
  store<f32>(at, 1.9875691500e-4, EXP_5);
  store<f32>(at, 1.3981999507e-3, EXP_4);
  store<f32>(at, 8.3334519073e-3, EXP_3);
  store<f32>(at, 4.1665795894e-2, EXP_2);
  store<f32>(at, 1.6666665459e-1, EXP_1);
  store<f32>(at, 5.0000001201e-1, EXP_0);
  store<f32>(at, 1.0, ONE);
  store<f32>(at, 0.17087277, ERFC);
  store<f32>(at, -0.82215223, ERFC + 4);
  store<f32>(at, 1.48851587, ERFC + 8);
  store<f32>(at, -1.13520398, ERFC + 12);
  store<f32>(at, 0.27886807, ERFC + 16);
  store<f32>(at, -0.18628806, ERFC + 20);
  store<f32>(at, 0.09678418, ERFC + 24);
  store<f32>(at, 0.37409196, ERFC + 28);
  store<f32>(at, 1.00002368, ERFC + 32);
  store<f32>(at, -1.26551223, ERFC + 36);
}

/** One step of Horner's rule: p·x + c. */
@inline
function horner(p: v128, x: v128, c: v128): v128 {
  return madd(c, p, x);
}

/** e^x on four lanes. Below −87.3 the result is 0; above 88.3 it saturates near the largest float; NaN stays NaN. */
@inline
export function exp4(x: v128): v128 {
  const k = constants;
  const clamped = f32x4.pmax(f32x4.pmin(x, v128.load32_splat(k, EXP_HIGH)), v128.load32_splat(k, EXP_LOW));
  const rounded = f32x4.add(f32x4.mul(clamped, v128.load32_splat(k, LOG2_E)), v128.load32_splat(k, ROUND));
  const n = f32x4.sub(rounded, v128.load32_splat(k, ROUND));
  let r = f32x4.sub(clamped, f32x4.mul(n, v128.load32_splat(k, LN2_HIGH)));
  r = f32x4.sub(r, f32x4.mul(n, v128.load32_splat(k, LN2_LOW)));
  let p = horner(v128.load32_splat(k, EXP_5), r, v128.load32_splat(k, EXP_4));
  p = horner(p, r, v128.load32_splat(k, EXP_3));
  p = horner(p, r, v128.load32_splat(k, EXP_2));
  p = horner(p, r, v128.load32_splat(k, EXP_1));
  p = horner(p, r, v128.load32_splat(k, EXP_0));
  const one = v128.load32_splat(k, ONE);
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r), one);
  const scale = i32x4.add(i32x4.shl(rounded, 23), one); // 2^n: n moved into the exponent of 1
  return v128.andnot(f32x4.mul(p, scale), f32x4.lt(x, v128.load32_splat(k, EXP_LOW)));
}

@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(splat(x)), 0);
}

/** 1 / (1 + e^−x) on four lanes. */
@inline
export function sigmoid4(x: v128): v128 {
  const one = v128.load32_splat(constants, ONE);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** erfc(|z|) on four lanes, accurate in relative terms far into the tail. */
@inline
export function erfcAbs4(z: v128): v128 {
  const k = constants;
  const a = f32x4.abs(z);
  const one = v128.load32_splat(k, ONE);
  const t = f32x4.div(one, f32x4.add(one, f32x4.mul(splat(0.5), a)));
  let p = horner(v128.load32_splat(k, ERFC), t, v128.load32_splat(k, ERFC + 4));
  p = horner(p, t, v128.load32_splat(k, ERFC + 8));
  p = horner(p, t, v128.load32_splat(k, ERFC + 12));
  p = horner(p, t, v128.load32_splat(k, ERFC + 16));
  p = horner(p, t, v128.load32_splat(k, ERFC + 20));
  p = horner(p, t, v128.load32_splat(k, ERFC + 24));
  p = horner(p, t, v128.load32_splat(k, ERFC + 28));
  p = horner(p, t, v128.load32_splat(k, ERFC + 32));
  p = horner(p, t, v128.load32_splat(k, ERFC + 36));
  return f32x4.mul(t, exp4(f32x4.sub(p, f32x4.mul(a, a))));
}

/** Standard normal distribution function Φ(x) on four lanes. */
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
