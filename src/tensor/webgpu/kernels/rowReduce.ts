/** WGSL for sums and maxima over the invocations of a workgroup that share one row; THREADS is a power of two. */

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
