/** Shared vocabulary of the method, in the paper's words (SRPO, arXiv 2506.01713v3, sections 3.1–3.3). */

/**
 * How the refined answer relates to the first. kept: right→right, fixed: wrong→right, stillWrong: wrong→wrong, spoilt:
 * right→wrong.
 */
export const TRANSITIONS = ["kept", "fixed", "stillWrong", "spoilt"] as const;
export type Transition = (typeof TRANSITIONS)[number];

/** The three segments of a response. */
export type Segment = "first" | "reflection" | "refined";

export const REWARD_VARIANTS = ["paper", "gated", "official", "official-verl"] as const;
export type RewardVariant = (typeof REWARD_VARIANTS)[number];

/** Fall-off of f_len around its target: exp(−x²) or exp(−2|x|). */
export const LENGTH_SHAPES = ["gaussian", "laplace"] as const;
export type LengthShape = (typeof LENGTH_SHAPES)[number];

/** A reward term of one's own (language/customTerms.ts). */
export interface CustomTerm {
  readonly name: string;
  /** In the reward language (language/parser.ts). */
  readonly expression: string;
  /** Factor on the expression's value; 0 turns the term off. */
  readonly weight: number;
}

/** Factors on the tiers of the settings. */
export type TierFactors = Readonly<Record<"kept" | "fixed", number>>;

export interface AdaptiveTiers {
  /** Number of steps whose transitions are counted. */
  readonly window: number;
  /** Exponent; 0 leaves every tier as it is. */
  readonly strength: number;
  /** Largest factor, and the reciprocal of the smallest; at least 1. */
  readonly bound: number;
  /** What a step pays, frozen at its beginning; absent in the settings of a run. */
  readonly factors?: TierFactors;
}

/** Every adjustable number of the reward; defaults are the paper's (method: reward.ts). */
export interface RewardConfig {
  readonly variant: RewardVariant;
  readonly formatWeight: number; // 0.5
  readonly accuracyWeight: number; // 0.5
  /**
   * Tiers of I_eff by transition: kept 0.25, fixed 0.5, stillWrong 0, spoilt −0.25; scaled by effectivenessWeight (1; 0
   * turns I_eff off).
   */
  readonly effectiveness: Readonly<Record<Transition, number>>;
  readonly effectivenessWeight: number; // 1
  /** Tiers of kept and fixed that follow the policy (adaptiveTiers.ts); null: the tiers above. */
  readonly adaptiveTiers: AdaptiveTiers | null;
  readonly reflectionFormatWeight: number; // 0.25
  readonly lengthWeight: number; // α = 0.1
  readonly lengthShape: LengthShape;
  readonly targetFactor: number; // T_target = 2 · base
  readonly maxFactor: number; // T_max = 2.5 · base
  /** Soft overlong penalty (overlong.ts): its factor, 0 for none, and its cache as a share of the longest response. */
  readonly overlongWeight: number; // 0
  readonly overlongCache: number; // 0.2
  readonly customTerms: readonly CustomTerm[]; // none
}

/**
 * The terms of one response's reward; keys as in the reward vectors. `official*` variants leave the terms they lack at
 * 0.
 */
export interface RewardTerms {
  readonly format: number;
  readonly accuracy: number;
  readonly effectiveness: number;
  readonly reflectionFormat: number;
  /** f_len in [0, 1], before its weight. */
  readonly length: number;
  readonly lengthWeighted: number;
  /** Overlong penalty, weighted, 0 or less; absent where the config has none. */
  readonly overlong?: number;
  /** What each term of one's own adds: weight × value, by name; absent where there are none. */
  readonly custom?: Readonly<Record<string, number>>;
  readonly total: number;
  /** Set where the released scorer would have crashed and given 0 (variant official). */
  readonly note?: string;
}

/** Whose numerics the advantages and the loss follow (trainers.ts). */
export const TRAINERS = ["srpo", "trl", "verl", "easyr1", "openrlhf"] as const;
export type Trainer = (typeof TRAINERS)[number];

/** Estimators of KL(π ‖ π_ref) (kl.ts). */
export const KL_ESTIMATORS = ["k1", "abs", "k2", "k3"] as const;
export type KlEstimator = (typeof KL_ESTIMATORS)[number];

export interface GroupAdvantages {
  readonly advantages: readonly number[];
  readonly mean: number;
  readonly std: number;
  /** max − min ≤ 1e-9·max(1,|r|): advantages are exactly 0. */
  readonly flat: boolean;
}
