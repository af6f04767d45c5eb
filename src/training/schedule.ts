/**
 * Learning-rate schedules. Stage 1 follows the released SRPO recipe: linear warm-up over the first tenth
 * of the steps, then half a cosine down to 0 (as `get_cosine_schedule_with_warmup` of transformers, one
 * half period). GRPO holds its rate for the first half of its steps, then lowers it to `floor`; a floor of 1 keeps it
 * constant, as the paper does.
 */

/**
 * Factor in [0, 1] for update `step` (0-based) of `total`.
 * Departs from transformers in one point: the warm-up starts at 1/warmupSteps, not at 0, so that the first
 * step already trains.
 */
export function cosineWithWarmup(step: number, total: number, warmupFraction: number): number {
  const warmupSteps = Math.round(total * warmupFraction);
  if (step < warmupSteps) return (step + 1) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, total - warmupSteps));
  return 0.5 * (1 + Math.cos(Math.PI * progress));
}

/**
 * Share of the peak learning rate at a 0-based step: 1 for the first half of `total` steps, then a line down to
 * `floor`, and `floor` beyond. TRL's line falls from the first step; here the first half learns at full rate, and the
 * second settles: at a constant rate the refined answers of a late policy swing by ten points from one evaluation to
 * the next.
 */
export function heldThenFalling(step: number, total: number, floor: number): number {
  const fallen = Math.min(1, Math.max(0, (2 * step) / total - 1));
  return 1 - (1 - floor) * fallen;
}
