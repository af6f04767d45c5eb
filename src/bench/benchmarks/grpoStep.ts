/**
 * A whole GRPO step of the nano policy after reflection SFT: 16 prompts × 8 samples, of the length that the policy
 * writes. Only the wasm backend shares its work: there one worker and two take turns, on the same prompts.
 */

import { type Benchmark, compareAll, type Runner } from "../benchmark";
import { AS_IN_TRAINING } from "../comparison";

const POLICY = "public/policies/sft";

export const grpoStep: Benchmark = {
  name: "grpo-step",
  description: "rollout, score, normalise and update of the shipped policy, 16 × 8 samples",
  run(setting) {
    const [prompts, groupSize, maxNewTokens] = setting.quick ? [2, 4, 24] : [16, 8, 104];
    const runner = (workers: number): Runner => ({
      name: workers === 1 ? "ours" : `ours, ${workers} workers`,
      library: "ours",
      job: { kind: "grpo", policy: POLICY, prompts, groupSize, maxNewTokens, workers },
    });
    const workload = {
      title: `nano, ${prompts} × ${groupSize} samples of at most ${maxNewTokens}`,
      rate: { perUnit: 1, unit: "steps/s" },
      runners: setting.backend === "wasm" ? [runner(1), runner(2)] : [runner(1)],
    };
    return compareAll("grpo-step", setting, [workload], {
      repetitions: setting.quick ? 2 : 5,
      repetitionMs: 0,
      maxUnits: 1,
      warmUpMs: setting.quick ? 0 : AS_IN_TRAINING.warmUpMs,
      tolerance: 1e-3,
    });
  },
};
