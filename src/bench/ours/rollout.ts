/** Our sampling of groups: each prompt once per group, KV cache, sampling on the device, one read-back. */
import type { GenerateOptions, Rollout } from "../../policy/policy";
import type { Backend } from "../../tensor/backend";
import type { Contender } from "../contender";
import type { JobOf } from "../job";
import { randomTokens } from "../workload";
import { measured } from "./measured";
import { workloadPolicy } from "./training";

export async function openRollout(
  backend: Backend,
  { shape, prompts: count, groupSize, promptLength, newTokens }: JobOf<"rollout">,
): Promise<Contender> {
  const policy = await workloadPolicy(backend, shape, "none");
  const ids = randomTokens(shape, count, promptLength, 1);
  const prompts = Array.from({ length: count }, (_, i) =>
    policy.model.encode(ids.slice(i * promptLength, (i + 1) * promptLength), []),
  );
  let step = 0;
  const generate = (greedy: boolean): Promise<Rollout> => {
    const options: GenerateOptions = {
      groupSize,
      temperature: 1,
      greedy,
      maxNewTokens: newTokens,
      seed: 0,
      step: step++,
      stopTokens: [],
    };
    return policy.generate(prompts, options);
  };
  return {
    /** Greedy tokens and log-probabilities of the first response to each prompt. */
    async check() {
      const { rows } = await generate(true);
      return rows.filter((_, row) => row % groupSize === 0).flatMap(({ tokens, logprobs }) => [...tokens, ...logprobs]);
    },
    run: (units) => measured(backend, units, () => generate(false)),
    async close() {
      policy.dispose();
    },
  };
}
