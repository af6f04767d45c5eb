/**
 * Selective sample replay (VL-Rethinker, arXiv 2504.08837v3, algorithm 1). A sample is effective when its advantage is
 * not 0. A step trains on its effective samples and fills up to its full number from a buffer of the episode's
 * effective samples, its own included, drawn with P(j) = |Â_j|^α / Σ_k |Â_k|^α.
 *
 * The paper does not say whether a sample may be drawn twice; its code draws with replacement, and so does this: the
 * probabilities then stay those of the formula, and a step is full from the first one on. (As released, neither filter
 * nor replay runs: the trainer calls the sampling without the switch that enables them. This follows the paper.)
 */
export interface ReplayOptions {
  /** Steps after which the buffer is emptied. */
  readonly episode: number;
  /** Exponent of |Â|; 0 draws uniformly, a larger one prefers rare successes. */
  readonly alpha: number;
}

/**
 * Which samples are drawn.
 * @param advantages of the buffer's samples, none of them 0
 * @param uniform number `draw` of a uniform stream in (0, 1)
 * @returns `count` indices; none for an empty buffer
 */
export function replayDraws(
  advantages: readonly number[],
  { alpha }: ReplayOptions,
  count: number,
  uniform: (draw: number) => number,
): number[] {
  const weights = advantages.map((advantage) => Math.abs(advantage) ** alpha);
  let total = 0;
  const cumulative = weights.map((weight) => {
    total += weight;
    return total;
  });
  if (weights.length === 0) return [];
  return Array.from({ length: count }, (_, draw) => {
    const wanted = uniform(draw) * total;
    const index = cumulative.findIndex((sum) => sum > wanted);
    return index < 0 ? weights.length - 1 : index;
  });
}
