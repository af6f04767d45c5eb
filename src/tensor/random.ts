/**
 * Counter-based random numbers: a draw is a pure function of (seed, step, row, position), so that sampling
 * is the same however rows are batched, whichever backend runs it, and after any resume. The mixing function
 * is the 32-bit "lowbias32" finaliser (C. Wellons, 2018), folded over the four counters; u32 arithmetic
 * only, so WGSL, AssemblyScript and JavaScript agree to the bit.
 */
function mix(x: number): number {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  x ^= x >>> 16;
  return x >>> 0;
}

/** 32 random bits for the given counters (each taken modulo 2³²). */
export function randomBits(seed: number, step: number, row: number, position: number): number {
  let h = mix((seed ^ 0x9e3779b9) >>> 0);
  h = mix((h + Math.imul(step, 0x85ebca6b)) >>> 0);
  h = mix((h + Math.imul(row, 0xc2b2ae35)) >>> 0);
  return mix((h + Math.imul(position, 0x27d4eb2f)) >>> 0);
}

/** Uniform in (0, 1): (bits >>> 8 + 0.5) / 2²⁴, exact in float32 and never 0 or 1. */
export function randomUniform(seed: number, step: number, row: number, position: number): number {
  return ((randomBits(seed, step, row, position) >>> 8) + 0.5) / 16777216;
}

/**
 * The sampler's rule, the same in every backend: p = softmax(logits / T), walked in token order; the drawn
 * token is the first whose cumulative sum exceeds u·Σ (sums in f32), the last token with p > 0 otherwise.
 */
