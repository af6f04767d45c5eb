/**
 * Whitening over a whole step: (x − mean)/scale with mean and variance of every response of the step, or of every
 * token of it, where each response counts as often as it has tokens. The last stage of REINFORCE++-baseline
 * (arXiv 2501.03262) and of GDPO (arXiv 2601.05242). Which of three ways a trainer takes is in trainers.ts.
 */
export const WHITENINGS = ["responses", "tokens", "tokens-population"] as const;
/**
 * - responses: scale = std + e, divisor n − 1 (TRL: GDPO, and RLOO with normalize_advantages).
 * - tokens: scale = √(variance + 10⁻⁸), divisor n − 1 (verl `masked_whiten`).
 * - tokens-population: scale = √max(variance, 10⁻⁸), divisor n (OpenRLHF).
 */
export type Whitening = (typeof WHITENINGS)[number];

export const VARIANCE_FLOOR = 1e-8;

export interface WhitenedValue {
  readonly value: number;
  /** Tokens of the response; a response without tokens has no weight in a whitening over tokens. */
  readonly length: number;
}

export interface StepScale {
  readonly mean: number;
  readonly scale: number;
}

/**
 * What (x − mean)/scale takes; {mean: 0, scale: 1} for no values.
 * @param epsilon e of `responses`
 */
export function stepScale(values: readonly WhitenedValue[], whitening: Whitening, epsilon: number): StepScale {
  const weight = (v: WhitenedValue): number => (whitening === "responses" ? 1 : v.length);
  const total = values.reduce((sum, v) => sum + weight(v), 0);
  if (total === 0) return { mean: 0, scale: 1 };
  const mean = values.reduce((sum, v) => sum + weight(v) * v.value, 0) / total;
  const squares = values.reduce((sum, v) => sum + weight(v) * (v.value - mean) ** 2, 0);
  const sampleVariance = squares / Math.max(total - 1, 1);
  switch (whitening) {
    case "responses":
      return { mean, scale: Math.sqrt(sampleVariance) + epsilon };
    case "tokens":
      return { mean, scale: Math.sqrt(sampleVariance + VARIANCE_FLOOR) };
    case "tokens-population":
      return { mean, scale: Math.sqrt(Math.max(squares / total, VARIANCE_FLOOR)) };
    default:
      return whitening satisfies never;
  }
}
