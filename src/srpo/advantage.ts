/**
 * Group-relative advantages: A_i = (r_i − mean)/(std + e) within the G responses to one prompt (GRPO, DeepSeekMath
 * section 4.1; SRPO section 3.3).
 *
 * All presets take the Bessel-corrected std (n − 1); they differ in e: TRL 1e-4, verl and EasyR1 1e-6, OpenRLHF 1e-9.
 * `srpo` takes 1e-4: in a group that differs only by traces of α·f_len, a small e would blow those traces up to full-size
 * advantages. (The paper gives no e; its code, built on OpenRLHF, has 1e-9: preset `openrlhf`.)
 *
 * Departure from all four trainers: a group with max − min ≤ 1e-9·max(1, |r|) is flat, and its advantages are exactly 0.
 * There floating-point residue decides: eight rewards of 0.7 give |A| up to 0.92 in OpenRLHF.
 */
import type { AdvantagePreset, GroupAdvantages } from "./types";

/** e of each preset. */
export const ADVANTAGE_EPSILON: Readonly<Record<AdvantagePreset, number>> = {
  srpo: 1e-4,
  trl: 1e-4,
  verl: 1e-6,
  easyr1: 1e-6,
  openrlhf: 1e-9,
};

const FLAT_TOLERANCE = 1e-9;

/**
 * Advantages of one group.
 * @param rewards one a response; null where scoring failed: such a response takes no part in mean and std, and gets 0
 * @throws RangeError where a reward is not finite
 */
export function groupAdvantages(rewards: readonly (number | null)[], preset: AdvantagePreset): GroupAdvantages {
  return normaliseGroup(rewards, { epsilon: ADVANTAGE_EPSILON[preset], std: "sample" });
}

/** How a group is normalised: by the sample std (n − 1), the population std (n), or not at all (Dr. GRPO). */
export interface Normalisation {
  readonly epsilon: number;
  readonly std: "sample" | "population" | "none";
}

/** As `groupAdvantages`, with the normalisation spelt out. */
export function normaliseGroup(
  rewards: readonly (number | null)[],
  { epsilon, std: kind }: Normalisation,
): GroupAdvantages {
  const scored = rewards.filter((r) => r !== null);
  const mean = meanOf(scored);
  const flat = isFlat(scored);
  if (flat) return { advantages: rewards.map(() => 0), mean, std: 0, flat };
  const std = stdOf(scored, kind === "population" ? 0 : 1);
  const scale = kind === "none" ? 1 : std + epsilon;
  return { advantages: rewards.map((r) => (r === null ? 0 : (r - mean) / scale)), mean, std, flat };
}

/** No two rewards differ by more than floating-point residue; also true for fewer than two rewards. */
export function isFlat(rewards: readonly number[]): boolean {
  for (const r of rewards)
    if (!Number.isFinite(r))
      throw new RangeError(`A reward is ${r}; expected a finite number, or null where scoring failed.`);
  if (rewards.length < 2) return true;
  const max = Math.max(...rewards);
  const min = Math.min(...rewards);
  return max - min <= FLAT_TOLERANCE * Math.max(1, Math.abs(max), Math.abs(min));
}

/** The share of groups that teach nothing (TRL's frac_reward_zero_std). */
export function fractionFlat(groups: readonly { readonly flat: boolean }[]): number {
  return groups.length === 0 ? 0 : groups.filter((g) => g.flat).length / groups.length;
}

export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** Standard deviation with divisor n − `correction`; 0 for too few values. */
export function stdOf(values: readonly number[], correction: 0 | 1 = 1): number {
  if (values.length <= correction) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - correction));
}
