/**
 * The matrix products of a training step: forward x·Wᵀ, gradient of the input dy·W, gradient of the weight dyᵀ·x
 * (accumulated). On WebGPU also our variants of the product, each that the adapter can run, against the one that the
 * backend chooses.
 */
import { MATMUL_VARIANTS } from "../../tensor/webgpu/kernels/matmul/variant";
import type { Benchmark, Outcome, Runner, Setting, Workload } from "../benchmark";
import { compareAll, each } from "../benchmark";
import type { JobOf } from "../job";

type Form = JobOf<"matmul">["form"];
const FORMS: readonly (readonly [Form, string])[] = [
  ["forward", "x·Wᵀ"],
  ["inputGradient", "dy·W"],
  ["weightGradient", "dyᵀ·x"],
];
/**
 * [rows, inner, outer]: the nano policy's qkv, gate|up and down over a micro-batch, and one large enough to show the
 * limit.
 */
const SIZES = [
  [2048, 128, 384],
  [2048, 128, 640],
  [2048, 320, 128],
  [512, 512, 512],
] as const;
const QUICK = [[512, 128, 640]] as const;
/** For the variants: a decoded token of eight responses, and a micro-batch. */
const FEW = [8, 1024, 2048] as const;
const MANY = [1024, 1024, 1024] as const;
const QUICK_FEW = [8, 128, 640] as const;
/** Variants that round to f16 differ from f32 by about 1e-3 of a sum. */
const F16_TOLERANCE = 2e-2;

export const matmul: Benchmark = {
  name: "matmul",
  description: "the matrix products of a training step, in GFLOP/s; on webgpu also each of our variants",
  async run(setting) {
    const options = {
      repetitions: setting.quick ? 5 : 9,
      repetitionMs: setting.quick ? 30 : 100,
      maxUnits: 200,
      warmUpMs: 0,
    };
    const workloads = (setting.quick ? QUICK : SIZES).flatMap(([rows, inner, outer]) =>
      FORMS.map(([form, title]) =>
        workload(title, { kind: "matmul", form, rows, inner, outer }, (job) => each(job, ["ours", "tfjs", "jax-js"])),
      ),
    );
    const peers = await compareAll("matmul", setting, workloads, { ...options, tolerance: 1e-3 });
    if (setting.backend !== "webgpu") return peers;
    return joined(
      peers,
      await compareAll("matmul", setting, variantWorkloads(setting), { ...options, tolerance: F16_TOLERANCE }),
    );
  },
};

function workload(title: string, job: JobOf<"matmul">, runners: (job: JobOf<"matmul">) => readonly Runner[]): Workload {
  const { rows, inner, outer, format } = job;
  return {
    title: `${title}, ${rows} rows, ${inner} → ${outer}${format === undefined ? "" : `, ${format}`}`,
    runners: runners(job),
    rate: { perUnit: (2 * rows * inner * outer) / 1e9, unit: "GFLOP/s" },
  };
}

function variantWorkloads({ quick }: Setting): readonly Workload[] {
  const [few, many] = quick ? [QUICK_FEW, QUICK[0]] : [FEW, MANY];
  const shapes = [
    ...(["f32", "f16", "int4"] as const).map((format) => ["x·Wᵀ", "forward", few, format] as const),
    ...FORMS.map(([form, title]) => [title, form, many, "f32"] as const),
    ...FORMS.slice(0, 2).map(([form, title]) => [title, form, many, "f16"] as const),
  ];
  return shapes.map(([title, form, [rows, inner, outer], format]) =>
    workload(`variants: ${title}`, { kind: "matmul", form, rows, inner, outer, format }, (job) => [
      { name: "ours", library: "ours", job },
      ...MATMUL_VARIANTS.map((matmul) => ({ name: `ours by ${matmul}`, library: "ours" as const, job, matmul })),
    ]),
  );
}

function joined(first: Outcome, second: Outcome): Outcome {
  return {
    measurements: [...first.measurements, ...second.measurements],
    absent: [...first.absent, ...second.absent],
    adapters: { ...second.adapters, ...first.adapters },
    notes: [...new Set([...first.notes, ...second.notes])],
  };
}
