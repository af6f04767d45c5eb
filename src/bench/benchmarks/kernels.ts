/**
 * Each kernel alone at the nano policy's sizes, next to its composition of stock operations, and as a share of what the
 * device was measured to do in this run: bytes per second of a plain copy, operations per second of our matmul of
 * 1024³. A kernel whose tensors fit a cache may exceed the bandwidth of a large copy.
 */
import { type Benchmark, compareAll, each, type Workload } from "../benchmark";
import type { JobOf } from "../job";
import { KERNEL_NAMES, KERNEL_WORK, type KernelName } from "../kernelWork";
import type { Measurement } from "../results";

const COPIED = 16 * 2 ** 20;
const SIDE = 1024;
const copy: JobOf<"copy"> = { kind: "copy", bytes: COPIED };
const product: JobOf<"matmul"> = { kind: "matmul", form: "forward", rows: SIDE, inner: SIDE, outer: SIDE };
/** Representative kernels for a quick run: one bound by memory, one by products, one by rows, one by dispatching. */
const QUICK: readonly KernelName[] = ["rmsNorm", "linear", "attention", "adamw"];

/** Reading and writing both count. */
const COPY: Workload = {
  title: `copy of ${COPIED / 2 ** 20} MiB`,
  rate: { perUnit: (2 * COPIED) / 1e9, unit: "GB/s" },
  runners: each(copy, ["ours"]),
};
export const PEAK_MATMUL: Workload = {
  title: `matmul of ${SIDE}³`,
  rate: { perUnit: (2 * SIDE ** 3) / 1e9, unit: "GFLOP/s" },
  runners: each(product, ["ours"]),
};

export const kernels: Benchmark = {
  name: "kernels",
  description: "each kernel alone: stock composition, traffic, arithmetic, share of the device's limits",
  async run(setting) {
    const named = (setting.quick ? QUICK : KERNEL_NAMES).map(
      (name): Workload => ({
        title: name,
        rate: { perUnit: KERNEL_WORK[name].bytes / 1e9, unit: "GB/s" },
        runners: each({ kind: "kernel", name }, ["ours", "tfjs"]),
      }),
    );
    const outcome = await compareAll("kernels", setting, [COPY, PEAK_MATMUL, ...named], {
      repetitions: setting.quick ? 3 : 7,
      repetitionMs: 30,
      maxUnits: 500,
      warmUpMs: 0,
      tolerance: 0,
    });
    const bandwidth = 1e9 * rateOf(outcome.measurements, COPY.title);
    const peak = 1e9 * rateOf(outcome.measurements, PEAK_MATMUL.title);
    return {
      ...outcome,
      measurements: outcome.measurements.map((row) => withNeeds(row, bandwidth, peak)),
      // A kernel without a composition is known before anything runs.
      absent: outcome.absent.filter(({ why }) => !why.includes("no composition")),
    };
  },
};

/** Units per second of a workload that ran. */
export function rateOf(measurements: readonly Measurement[], workload: string): number {
  const found = measurements.find((row) => row.workload === workload)?.rate;
  if (found === undefined) throw new Error(`${workload} was not measured.`);
  return found.value;
}

function withNeeds(row: Measurement, bandwidth: number, peak: number): Measurement {
  const name = KERNEL_NAMES.find((known) => known === row.workload);
  if (name === undefined || row.contender !== "ours") return row;
  const seconds = row.milliseconds.median / 1000;
  const { bytes, flops } = KERNEL_WORK[name];
  return { ...row, needs: { bytes, flops, ofBandwidth: bytes / seconds / bandwidth, ofPeak: flops / seconds / peak } };
}
