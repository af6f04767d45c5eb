/**
 * The surrogate loss of one token: what the importance ratio ρ = π/π_old and the advantage A make of it, and its slope.
 *
 * - clip (PPO, GRPO; DAPO with clipHigh ≠ clipLow): max(−ρA, −clip(ρ, 1−low, 1+high)A). `ratioMax` clamps ρ to [0, max]
 *   before (SRPO's code and MM-Eureka: 3; TRL: delta). `dualClip` c bounds the loss of A < 0 by −cA (verl, EasyR1: 3). For
 *   A < 0 the two are the same bound.
 * - cispo: −sg(clip(ρ))·A·log π. TRL clips above only, at an absolute value; verl and EasyR1 at 1 ± ε.
 * - sapo: −σ(τ(ρ−1))·4/τ·A, τ by the sign of A.
 *
 * Slopes are by log π, with ρ's own slope dρ/d log π = ρ.
 */
export const SURROGATE_KINDS = ["clip", "cispo", "sapo"] as const;
export type SurrogateKind = (typeof SURROGATE_KINDS)[number];

export type Surrogate =
  | {
      readonly kind: "clip";
      readonly clipLow: number;
      readonly clipHigh: number;
      readonly ratioMax: number | null;
      readonly dualClip: number | null;
    }
  | { readonly kind: "cispo"; readonly ratioLow: number; readonly ratioHigh: number }
  | { readonly kind: "sapo"; readonly tauPositive: number; readonly tauNegative: number };

export interface TokenLoss {
  readonly loss: number;
  /** d loss / d log π */
  readonly slope: number;
  /** ρ < 1−low with A < 0, ρ > 1+high with A > 0: where the clip silences the token. cispo: where ρ was clipped at all. */
  readonly clippedLow: boolean;
  readonly clippedHigh: boolean;
  /** The dual clip or the ratio clamp bounds the loss (A < 0 only). */
  readonly bounded: boolean;
}

/** @param ratio π/π_old, of this token or (GSPO) of its sequence; @param logp log π, read by cispo only */
export function surrogateLoss(ratio: number, advantage: number, logp: number, surrogate: Surrogate): TokenLoss {
  switch (surrogate.kind) {
    case "clip":
      return clipLoss(ratio, advantage, surrogate);
    case "cispo": {
      const clamped = Math.min(Math.max(ratio, surrogate.ratioLow), surrogate.ratioHigh);
      return {
        loss: -clamped * advantage * logp,
        slope: -clamped * advantage,
        clippedLow: clamped > ratio,
        clippedHigh: clamped < ratio,
        bounded: false,
      };
    }
    case "sapo": {
      const tau = advantage > 0 ? surrogate.tauPositive : surrogate.tauNegative;
      const gate = 1 / (1 + Math.exp(-tau * (ratio - 1)));
      return {
        loss: (-4 / tau) * gate * advantage,
        // A saturated gate pushes nothing, however large the ratio.
        slope: gate === 1 ? 0 : -4 * gate * (1 - gate) * ratio * advantage,
        clippedLow: false,
        clippedHigh: false,
        bounded: false,
      };
    }
    default:
      return unknownSurrogate(surrogate);
  }
}

function clipLoss(
  ratio: number,
  advantage: number,
  { clipLow, clipHigh, ratioMax, dualClip }: Extract<Surrogate, { kind: "clip" }>,
): TokenLoss {
  const clamped = ratioMax === null ? ratio : Math.min(ratio, ratioMax);
  const clippedLow = clamped < 1 - clipLow && advantage < 0;
  const clippedHigh = clamped > 1 + clipHigh && advantage > 0;
  const clipped = Math.min(Math.max(clamped, 1 - clipLow), 1 + clipHigh);
  const free = -clamped * advantage;
  const bound = -clipped * advantage;
  const loss = Math.max(free, bound);
  if (dualClip !== null && advantage < 0 && loss > -dualClip * advantage) {
    return { loss: -dualClip * advantage, slope: 0, clippedLow, clippedHigh, bounded: true };
  }
  const bounded = clamped < ratio && advantage < 0;
  const silent = clamped < ratio || free < bound;
  return { loss, slope: silent ? 0 : -ratio * advantage, clippedLow, clippedHigh, bounded };
}

function unknownSurrogate(surrogate: never): never {
  throw new RangeError(`Unknown surrogate ${JSON.stringify(surrogate)}; expected kind clip, cispo or sapo.`);
}
