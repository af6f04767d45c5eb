/**
 * What a dispatch costs the thread that records it: a chain of small sums, recorded once and replayed as the training
 * and decode steps are, against the same work recorded each time and against stock TensorFlow.js. The kernels' own time
 * is negligible. Only WebGPU has dispatches.
 */
import { type Benchmark, compareAll } from "../benchmark";
import type { Job } from "../job";

/** About as many as a training step has. */
const LENGTH = 200;

export const dispatch: Benchmark = {
  name: "dispatch",
  description: "on webgpu: host time per dispatch, replayed and recorded each time",
  async run(setting) {
    if (setting.backend !== "webgpu")
      return {
        measurements: [],
        absent: [],
        adapters: {},
        notes: [`There are no dispatches on ${setting.backend}: ask for --backend webgpu.`],
      };
    const job = (replayed: boolean): Job => ({ kind: "chain", length: LENGTH, replayed });
    const workload = {
      title: `a chain of ${LENGTH} sums`,
      rate: { perUnit: LENGTH, unit: "dispatches/s" },
      runners: [
        { name: "ours", library: "ours", job: job(true) },
        { name: "ours, not replayed", library: "ours", job: job(false) },
        { name: "tfjs", library: "tfjs", job: job(false) },
      ],
    } as const;
    return compareAll("dispatch", setting, [workload], {
      repetitions: setting.quick ? 3 : 15,
      repetitionMs: setting.quick ? 50 : 300,
      maxUnits: 50,
      warmUpMs: setting.quick ? 0 : 1000,
      tolerance: 1e-3,
    });
  },
};
