/**
 * The reward: R_total = R_task + R_reflection (SRPO, arXiv 2506.01713v3, section 3.3), every term apart, in four
 * variants:
 *
 * `paper`: format 0.5 + accuracy of the first answer 0.5 + I_eff by transition + I_ref 0.25 + α·f_len.
 * `official` (SUSTechBruce/SRPO_MLLMs, the OpenRLHF scorer): format by a looser pattern, and one combined accuracy over
 *   both answers: 0.5 where any is right, plus the tier of the transition: fixed 1.0, kept 0.75, spoilt 0.25, still
 *   wrong 0. So it pays a deliberately wrong first answer most. Where it raises (no answer; fewer than two think or
 *   answer blocks) it gives 0 for the whole response; here the same rules score that text, and `note` says what the
 *   scorer would have done.
 * `official-verl` (the verl port): a precedence slip makes its accuracy kept 0.75, still wrong −0.25 (the tier meant
 *   for spoilt), fixed and spoilt 0; overall = 0.5·accuracy + 0.5·format + α·f_len.
 *   Departure: that port also reads answers from `\boxed{}` only and squeezes spaces around tags; we keep the answer
 *   blocks.
 *
 * `gated` (no form of SRPO's: Vision-R1's hard reward and VRRL's): nothing unless the response is well formed; then
 *   format, accuracy of the last answer, and the tier of the transition.
 *
 * f_len = exp(−x²), x = (L − T_target)/(T_max − T_target), L tokens of the whole response, base tokens of the first
 * think and answer, T_target = 2·base, T_max = 2.5·base. A summary of the paper prints exp(−|x|)²: that is `laplace`,
 * exp(−2|x|).
 *
 * The overlong penalty (overlong.ts) and terms of one's own (language/customTerms.ts) are added to the total of every
 * variant.
 */
import { type ResponseFacts, transitionIn, transitionOf } from "./facts";
import type { FormatPattern } from "./format";
import type { GraderName } from "./grader/grader";
import { customContributions } from "./language/customTerms";
import { overlongPenalty } from "./overlong";
import type { AdaptiveTiers, RewardConfig, RewardTerms, RewardVariant, Transition } from "./types";

export const defaultRewardConfig: RewardConfig = {
  variant: "paper",
  formatWeight: 0.5,
  accuracyWeight: 0.5,
  effectiveness: { kept: 0.25, fixed: 0.5, stillWrong: 0, spoilt: -0.25 },
  effectivenessWeight: 1,
  adaptiveTiers: null,
  reflectionFormatWeight: 0.25,
  lengthWeight: 0.1,
  lengthShape: "gaussian",
  targetFactor: 2,
  maxFactor: 2.5,
  overlongWeight: 0,
  overlongCache: 0.2,
  customTerms: [],
};

/** Share of accuracy and of format in the verl port's `overall` (its `format_weight` argument). */
export const VERL_SHARE = 0.5;

/** The grader a variant was defined with. */
export function graderOf(variant: RewardVariant): GraderName {
  return variant === "paper" || variant === "gated" ? "equivalent" : "exact";
}

/** The tier that I_eff pays for a transition: the settings', times its factor in a step with adaptive tiers. */
export function tierOf({ effectiveness, adaptiveTiers }: RewardConfig, transition: Transition): number {
  return effectiveness[transition] * tierFactorOf(adaptiveTiers, transition);
}

/** 1 for a tier that does not adapt. */
export function tierFactorOf(adaptive: AdaptiveTiers | null, transition: Transition): number {
  return transition === "kept" || transition === "fixed" ? (adaptive?.factors?.[transition] ?? 1) : 1;
}

/**
 * I_eff, the reflection's effect on the answer (SRPO, section 3.3): the tier of the transition, times its weight; 0
 * where no well-formed reflection stands between two answers. Of several rounds the last one is paid, if every round
 * has its reflection.
 */
export function iEff(facts: ResponseFacts, config: RewardConfig, grader: GraderName): number {
  const transition = transitionIn(facts, grader);
  if (transition === null || !facts.reflectionBetween) return 0;
  return config.effectivenessWeight * tierOf(config, transition);
}

/**
 * I_ref, the reflection's form (SRPO, section 3.3): one non-empty reflection stands between the first answer and the
 * last.
 */
export function iRef(facts: ResponseFacts, config: RewardConfig): number {
  return facts.reflectionBetween ? config.reflectionFormatWeight : 0;
}

/**
 * f_len in [0, 1], the length term before its weight α (SRPO, section 3.3): exp(−x²) of `lengthPosition`. T_max =
 * T_target leaves 1 at the target and 0 elsewhere.
 */
export function fLen(facts: ResponseFacts, config: RewardConfig): number {
  const position = lengthPosition(facts, config);
  if (!position) return 0;
  return config.lengthShape === "gaussian" ? Math.exp(-(position.x * position.x)) : Math.exp(-2 * Math.abs(position.x));
}

/**
 * All terms of a response whose facts are known; pure, so a moved weight re-scores at once.
 * @throws RewardTermError when a term of one's own has no value for this response
 */
export function rewardTerms(
  facts: ResponseFacts,
  config: RewardConfig,
  grader: GraderName = graderOf(config.variant),
): RewardTerms {
  const length = fLen(facts, config);
  const lengthWeighted = config.lengthWeight * length;
  const right = facts.right[grader];
  const transition = transitionIn(facts, grader);
  const custom = customContributions(facts, config, grader);
  const overlong = config.overlongWeight === 0 ? null : config.overlongWeight * overlongPenalty(facts, config);
  const others = Object.values(custom).reduce((sum, value) => sum + value, overlong ?? 0);
  const own = {
    ...(overlong === null ? {} : { overlong }),
    ...(config.customTerms.length === 0 ? {} : { custom }),
  };
  switch (config.variant) {
    case "paper": {
      const format = facts.wellFormed ? config.formatWeight : 0;
      const accuracy = right.first ? config.accuracyWeight : 0;
      const effectiveness = iEff(facts, config, grader);
      const reflectionFormat = iRef(facts, config);
      return {
        format,
        accuracy,
        effectiveness,
        reflectionFormat,
        length,
        lengthWeighted,
        ...own,
        total: format + accuracy + effectiveness + reflectionFormat + lengthWeighted + others,
      };
    }
    case "gated": {
      const open = facts.wellFormed;
      const format = open ? config.formatWeight : 0;
      const accuracy = open && (transition === null ? right.first : right.refined) ? config.accuracyWeight : 0;
      const effectiveness = open ? iEff(facts, config, grader) : 0;
      const gatedLength = open ? lengthWeighted : 0;
      return {
        format,
        accuracy,
        effectiveness,
        reflectionFormat: 0,
        length,
        lengthWeighted: gatedLength,
        ...own,
        total: format + accuracy + effectiveness + gatedLength + others,
      };
    }
    case "official": {
      const format = facts.wellFormedReleased ? config.formatWeight : 0;
      const accuracy =
        ((transition === null ? right.first : transition !== "stillWrong") ? config.accuracyWeight : 0) +
        (transition ? config.effectivenessWeight * config.effectiveness[transition] : 0);
      return {
        format,
        accuracy,
        effectiveness: 0,
        reflectionFormat: 0,
        length,
        lengthWeighted,
        ...own,
        total: format + accuracy + lengthWeighted + others,
        ...crash(facts),
      };
    }
    case "official-verl": {
      const format = facts.wellFormedReleased ? config.formatWeight : 0;
      const accuracy = verlAccuracy(transition ?? transitionOf(right.first, right.first), config);
      return {
        format,
        accuracy,
        effectiveness: 0,
        reflectionFormat: 0,
        length,
        lengthWeighted,
        ...own,
        total: VERL_SHARE * accuracy + VERL_SHARE * format + lengthWeighted + others,
        ...crash(facts),
      };
    }
    default:
      return unknownVariant(config.variant);
  }
}

/** The pattern that a variant's format term asks for. */
export function patternOf(variant: RewardVariant): FormatPattern {
  return variant === "paper" || variant === "gated" ? "strict" : "released";
}

/** The terms that the variants define; terms of one's own come beside them. */
export type BuiltInTerm = "format" | "accuracy" | "effectiveness" | "reflectionFormat" | "length" | "overlong";

/**
 * What each term adds to the total (the verl port halves format and accuracy), those of one's own included; sums to
 * `terms.total`. Order: as drawn.
 */
export function contributions(
  terms: RewardTerms,
  variant: RewardVariant,
): Readonly<Record<Exclude<BuiltInTerm, "overlong">, number>> & Readonly<Record<string, number>> {
  const share = variant === "official-verl" ? VERL_SHARE : 1;
  return {
    format: share * terms.format,
    accuracy: share * terms.accuracy,
    effectiveness: terms.effectiveness,
    reflectionFormat: terms.reflectionFormat,
    length: terms.lengthWeighted,
    ...(terms.overlong === undefined ? {} : { overlong: terms.overlong }),
    ...terms.custom,
  };
}

/**
 * Where f_len's target and x stand for a response: x = (L − T_target)/(T_max − T_target), null where f_len is 0 by
 * rule.
 */
export function lengthPosition(
  facts: ResponseFacts,
  config: RewardConfig,
): { readonly target: number; readonly max: number; readonly x: number } | null {
  if (facts.thinkBlocks < 2 || facts.answerBlocks < 2 || facts.baseTokens === 0) return null;
  const target = config.targetFactor * facts.baseTokens;
  const max = config.maxFactor * facts.baseTokens;
  const off = facts.lengthTokens - target;
  return { target, max, x: off === 0 ? 0 : off / (max - target) };
}

function verlAccuracy(transition: Transition, config: RewardConfig): number {
  if (transition === "kept") return config.accuracyWeight + config.effectivenessWeight * config.effectiveness.kept;
  if (transition === "stillWrong") return config.effectivenessWeight * config.effectiveness.spoilt;
  return 0;
}

function crash(facts: ResponseFacts): { readonly note: string } | Record<never, never> {
  if (facts.answerBlocks === 0)
    return { note: "The released scorer raises here (it finds no answer block) and gives 0 for the whole response." };
  if (facts.thinkBlocks < 2 || facts.answerBlocks < 2) {
    return {
      note:
        "The released scorer raises here (its length term needs two think and two answer blocks) and gives 0 for " +
        "the whole response.",
    };
  }
  return {};
}

function unknownVariant(variant: never): never {
  throw new RangeError(`Unknown reward variant ${JSON.stringify(variant)}; expected paper, official or official-verl.`);
}
