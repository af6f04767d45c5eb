/** The log-probabilities of a group's tokens after an update, which the page compares with the rollout's. */
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import { DisposalScope } from "./disposalScope";
import type { LargestBatch } from "./largestBatch";
import { microBatches, type TrainingRow } from "./microBatch";
import type { GroupRecord } from "./records";
import { lossTemperature } from "./rollout";
import type { Settings } from "./settings";
import { currentLogprobs } from "./updatePasses";

/**
 * The group with `logprobsAfter` of every sample. One read-back.
 * @param largest micro-batch of the groups that the run asks this of
 */
export async function afterUpdate(
  policy: Policy,
  group: GroupRecord,
  prompt: EncodedPrompt,
  features: FeatureBank | null,
  { microBatchRows, maxNewTokens, grpo, temperature }: Settings,
  largest: LargestBatch,
): Promise<GroupRecord> {
  const rows: TrainingRow[] = group.samples.map((sample) => ({
    prompt,
    tokens: Int32Array.from(sample.tokenIds),
    weight: 1,
    advantage: 0,
  }));
  const scope = new DisposalScope();
  try {
    const limits = { responses: Math.min(microBatchRows, grpo.groupSize), tokens: maxNewTokens };
    const options = { temperature: lossTemperature(temperature), features, largest: { batch: largest, limits } };
    const read = await currentLogprobs(policy, microBatches(rows, microBatchRows), options, scope);
    const all = read.flatMap((values) => [...values]);
    let at = 0;
    const samples = group.samples.map((sample) => {
      const first = at;
      at += sample.tokenIds.length;
      return { ...sample, logprobsAfter: all.slice(first, at) };
    });
    return { ...group, samples };
  } finally {
    scope.dispose();
  }
}
