/** Sampling groups of responses, each exactly as long as allowed: prompts, KV cache, sampling at T = 1, tokens and log-probabilities read. */
import type { Benchmark, Workload } from "../benchmark";
import { raceParties } from "../benchmark";
import { nanoShape } from "../workload";

export const rollout: Benchmark = {
  name: "rollout",
  description: "sampling groups with a KV cache on the nano decoder",
  async run(setting) {
    const shape = await nanoShape();
    const sizes = setting.quick ? [[2, 4, 16]] as const : [[1, 8, 64], [4, 8, 64]] as const;
    const workloads = sizes.map(([prompts, groupSize, newTokens]): Workload => ({
      title: `nano, ${prompts} × ${groupSize} responses of ${newTokens}`,
      job: { kind: "rollout", shape, prompts, groupSize, promptLength: 32, newTokens },
      rate: { perUnit: prompts * groupSize * newTokens, unit: "tokens/s" },
    }));
    return raceParties("rollout", setting, ["ours", "tfjs"], workloads, { repetitions: setting.quick ? 3 : 5, repetitionMs: 0, maxUnits: 1, tolerance: 1e-3 });
  },
};
