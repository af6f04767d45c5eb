/** The matrix products of a training step: forward x·Wᵀ, gradient of the input dy·W, gradient of the weight dyᵀ·x (accumulated). */
import type { Benchmark, Workload } from "../benchmark";
import { each, raceAll } from "../benchmark";

const FORMS = [["forward", "x·Wᵀ"], ["inputGradient", "dy·W"], ["weightGradient", "dyᵀ·x"]] as const;
/** [rows, inner, outer]: the nano policy's qkv, gate|up and down over a micro-batch, and one large enough to show the limit. */
const SIZES = [[2048, 128, 384], [2048, 128, 640], [2048, 320, 128], [512, 512, 512]] as const;
const QUICK = [[512, 128, 640]] as const;

export const matmul: Benchmark = {
  name: "matmul",
  description: "the products of a training step, in GFLOP/s",
  run(setting) {
    const workloads = (setting.quick ? QUICK : SIZES).flatMap(([rows, inner, outer]) => FORMS.map(([form, title]): Workload => ({
      title: `${title}, ${rows} rows, ${inner} → ${outer}`,
      runners: each({ kind: "product", form, rows, inner, outer }, ["ours", "tfjs", "jax-js"]),
      rate: { perUnit: (2 * rows * inner * outer) / 1e9, unit: "GFLOP/s" },
    })));
    return raceAll("matmul", setting, workloads, { repetitions: setting.quick ? 5 : 9, repetitionMs: setting.quick ? 30 : 100, maxUnits: 200, tolerance: 1e-3 });
  },
};
