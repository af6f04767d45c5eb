/**
 * The KL penalty on the rewards (klPenalty.ts in src/srpo): the reference's log-probabilities of every sampled token,
 * and from them each response's penalty β·Σ_t KL_t. The policy's own log-probabilities are those of the rollout.
 */
import type { EncodedPrompt } from "../policy/layers/packing";
import { responseKl } from "../srpo/klPenalty";
import { DisposalScope } from "./disposalScope";
import { microBatches, type TrainingRow, tokenCount } from "./microBatch";
import { responseLogprobs } from "./optimiserStep";
import type { GroupRecord } from "./records";
import type { ReferencePolicy } from "./reference";
import { lossTemperature } from "./rollout";
import type { Settings } from "./settings";

/** The groups with `klPenalty` of every sample. One read-back. @param prompts one a group, in order */
export async function withKlPenalties(
  groups: readonly GroupRecord[],
  prompts: readonly EncodedPrompt[],
  { grpo, temperature, microBatchRows }: Settings,
  reference: ReferencePolicy,
): Promise<GroupRecord[]> {
  const rows = groups.flatMap((group, i): TrainingRow[] => {
    const prompt = prompts[i];
    if (prompt === undefined) throw new Error(`the KL penalty: group ${i} has no prompt`);
    return group.samples.map(({ tokenIds }) => ({
      prompt,
      tokens: Int32Array.from(tokenIds),
      weight: 1,
      advantage: 0,
    }));
  });
  const scope = new DisposalScope();
  try {
    const batches = microBatches(
      rows.filter(({ tokens }) => tokens.length > 0),
      microBatchRows,
    );
    const options = { temperature: lossTemperature(temperature), features: null, adapter: reference.adapter };
    const read = await reference.policy.backend.read(responseLogprobs(reference.policy, batches, options, scope));
    const all = read.flatMap((values, i) => [...values.subarray(0, tokenCount(batches[i] ?? []))]);
    let at = 0;
    return groups.map((group) => ({
      ...group,
      samples: group.samples.map((sample) => {
        const start = at;
        at += sample.tokenIds.length;
        const kl = responseKl(sample.logprobs, all.slice(start, at), grpo.klEstimator, grpo.preset);
        return { ...sample, klPenalty: grpo.beta * kl };
      }),
    }));
  } finally {
    scope.dispose();
  }
}
