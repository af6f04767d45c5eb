/**
 * One step of supervised training on the nano policy's decoder: forward, backward, clip by global norm, AdamW. Our side packs and
 * uploads the batch anew in every step, as the session does; the peers' inputs lie on the device already.
 */
import type { Benchmark, Workload } from "../benchmark";
import { raceParties } from "../benchmark";
import { nanoShape } from "../workload";

const LENGTH = 64;

export const trainStep: Benchmark = {
  name: "train-step",
  description: "forward, backward, clip and AdamW on the nano decoder",
  async run(setting) {
    const shape = await nanoShape();
    const workloads = (setting.quick ? [8] : [8, 32]).map((rows): Workload => ({
      title: `nano, ${rows} × ${LENGTH} tokens`,
      job: { kind: "train", shape, rows, length: LENGTH },
      rate: { perUnit: rows * LENGTH, unit: "tokens/s" },
    }));
    return raceParties("train-step", setting, ["ours", "tfjs", "jax-js"], workloads, { repetitions: setting.quick ? 3 : 5, repetitionMs: 0, maxUnits: 1, tolerance: 1e-3 });
  },
};
