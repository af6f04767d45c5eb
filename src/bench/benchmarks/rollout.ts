/**
 * Sampling groups of responses, each exactly as long as allowed: prompts, KV cache, sampling at T = 1, reading tokens
 * and log-probabilities. Growth with the group size is measured for our side alone.
 */
import { type Benchmark, compareAll, each, type Workload } from "../benchmark";
import { AS_IN_TRAINING } from "../comparison";
import type { LibraryName } from "../contender";
import { largeShape, nanoShape } from "../workload";

const PROMPT_LENGTH = 32;
const DEEP = "twice nano's depth";

export const rollout: Benchmark = {
  name: "rollout",
  description: "sampling groups with a KV cache on the nano decoder, and how it grows with the group",
  async run(setting) {
    const nano = await nanoShape();
    const large = await largeShape();
    const deep = { ...nano, layers: 2 * nano.layers };
    const sampled = (
      prompts: number,
      groupSize: number,
      newTokens: number,
      prefix: string,
      libraries: readonly LibraryName[],
      name = "nano",
      shape = nano,
    ): Workload => ({
      title: `${prefix}${name}, ${prompts} × ${groupSize} responses of ${newTokens}`,
      rate: { perUnit: prompts * groupSize * newTokens, unit: "tokens/s" },
      runners: each({ kind: "rollout", shape, prompts, groupSize, promptLength: PROMPT_LENGTH, newTokens }, libraries),
    });
    // Two lengths and two depths: their differences give the cost of a token and of a layer.
    const growth = [
      ...[1, 4, 16, 64].map((groupSize) => sampled(1, groupSize, 64, "growth: ", ["ours"])),
      ...(
        [
          ["nano", nano, 8],
          [DEEP, deep, 8],
          [DEEP, deep, 64],
        ] as const
      ).map(([name, shape, newTokens]) => sampled(1, 4, newTokens, "growth: ", ["ours"], name, shape)),
    ];
    // The last workload is the one with targets.
    const workloads = setting.quick
      ? [sampled(2, 4, 16, "", ["ours", "tfjs"])]
      : [
          ...(setting.small ? [] : growth),
          sampled(1, 8, 64, "", ["ours", "tfjs"]),
          ...(setting.small ? [] : [sampled(4, 8, 64, "", ["ours", "tfjs"])]),
        ];
    const all = [
      ...(setting.large ? [sampled(4, 8, 64, "", ["ours", "tfjs"], "twenty times nano", large)] : []),
      ...workloads,
    ];
    return compareAll("rollout", setting, all, {
      repetitions: setting.quick ? 3 : 5,
      ...(setting.quick ? { repetitionMs: 0, maxUnits: 1, warmUpMs: 0 } : AS_IN_TRAINING),
      tolerance: 1e-3,
    });
  },
};
