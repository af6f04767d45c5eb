/**
 * Learning-rate schedules. Stage 1 follows the released SRPO recipe: linear warm-up over the first tenth
 * of the steps, then half a cosine down to 0 (as `get_cosine_schedule_with_warmup` of transformers, one
 * half period). GRPO keeps its rate constant, as the paper does.
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
