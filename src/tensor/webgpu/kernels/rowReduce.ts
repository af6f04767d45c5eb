/**
 * WGSL for sums and maxima over the invocations of a workgroup that share one row; THREADS is a power of two. Where a
 * workgroup can be one subgroup, by subgroup operations: a barrier splits a shader on a CPU into parts that are run in
 * turns.
 */
import type { AdapterTraits } from "../device";
import { lacksOneSubgroup } from "./oneSubgroup";

/** Declares `fn ${name}(value, lane) -> value's total over the workgroup`, the same on every invocation. */
export function rowReduction(name: string, type: "f32" | "u32", combine: (a: string, b: string) => string): string {
  return `
var<workgroup> ${name}Slots: array<${type}, THREADS>;
fn ${name}(value: ${type}, lane: u32) -> ${type} {
  ${name}Slots[lane] = value;
  workgroupBarrier();
  for (var half = THREADS / 2u; half > 0u; half >>= 1u) {
    if (lane < half) { ${name}Slots[lane] = ${combine(`${name}Slots[lane]`, `${name}Slots[lane + half]`)}; }
    workgroupBarrier();
  }
  let total = ${name}Slots[0];
  workgroupBarrier();
  return total;
}`;
}

export const ROW_SUM = rowReduction("rowSum", "f32", (a, b) => `${a} + ${b}`);
export const ROW_MAX = rowReduction("rowMax", "f32", (a, b) => `max(${a}, ${b})`);

/**
 * How a kernel with a workgroup a row is made on an adapter: parts of its KernelSpec, and WGSL that declares rowSum and
 * rowMax.
 */
export interface RowWorkgroup {
  readonly threads: number;
  readonly oneSubgroup: boolean;
  readonly sum: string;
  readonly max: string;
}

/** One subgroup where the adapter allows it, else `rowThreads` invocations and workgroup memory. */
export function rowWorkgroup({ rowThreads, matmul: { adapter } }: AdapterTraits): RowWorkgroup {
  if (lacksOneSubgroup(adapter) !== null)
    return { threads: rowThreads, oneSubgroup: false, sum: ROW_SUM, max: ROW_MAX };
  const by = (name: string, operation: string): string =>
    `fn ${name}(value: f32, lane: u32) -> f32 { return ${operation}(value); }`;
  return {
    threads: adapter.subgroupMinSize,
    oneSubgroup: true,
    sum: by("rowSum", "subgroupAdd"),
    max: by("rowMax", "subgroupMax"),
  };
}
