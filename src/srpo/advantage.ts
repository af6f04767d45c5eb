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
import { TRAINER_NUMERICS } from "./trainers";
import type { GroupAdvantages, Trainer } from "./types";

const FLAT_TOLERANCE = 1e-9;

/**
 * Advantages of one group.
 * @param rewards one a response; null where scoring failed: such a response takes no part in mean and std, and gets 0
 * @param trainer whose e
 * @throws RangeError where a reward is not finite
 */
export function groupAdvantages(rewards: readonly (number | null)[], trainer: Trainer): GroupAdvantages {
  const scored = rewards.filter((r) => r !== null);
  const mean = meanOf(scored);
  const flat = isFlat(scored);
  if (flat) return { advantages: rewards.map(() => 0), mean, std: 0, flat };
  const std = stdOf(scored);
  const scale = std + TRAINER_NUMERICS[trainer].advantageEpsilon;
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

/** Mean; 0 for an empty list. */
export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, v) => sum + v, 0) / values.length;
}

/** Bessel-corrected standard deviation (divisor n − 1); 0 for fewer than two values. */
export function stdOf(values: readonly number[]): number {
  if (values.length < 2) return 0;
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
}
