/**
 * Refuses a step whose sampled groups hold something that is not finite. A policy that has diverged samples tokens with
 * log-probability NaN; where all its responses earn the same reward nothing would be trained, and the step would pass
 * for a healthy one.
 */
import { StepRefused } from "./optimiserStep";
import { type GroupRecord, type SampleRecord, scoreOf } from "./records";

/** @throws StepRefused naming the first response and what of it is not finite */
export function refuseNonFinite(groups: readonly GroupRecord[]): void {
  for (const { problem, samples } of groups) {
    for (const [row, sample] of samples.entries()) {
      const fault = nonFinite(sample);
      if (fault === null) continue;
      throw new StepRefused(
        `the step was refused: ${problem.id}, response ${row + 1}: ${fault}; expected finite numbers. ` +
          "The weights are those before it. Go back to an earlier snapshot, and lower the learning rate.",
      );
    }
  }
}

function nonFinite(sample: SampleRecord): string | null {
  const token = sample.logprobs.findIndex((logprob) => !Number.isFinite(logprob));
  if (token >= 0)
    return `the log-probability of token ${token + 1} of ${sample.logprobs.length} is ${sample.logprobs[token]}`;
  const reward = (scoreOf(sample)?.terms.total ?? 0) - (sample.klPenalty ?? 0);
  if (!Number.isFinite(reward)) return `its reward is ${reward}`;
  const { advantage = 0 } = sample;
  return Number.isFinite(advantage) ? null : `its advantage is ${advantage}`;
}
