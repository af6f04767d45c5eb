/** Sizes of scratch that the matrix kernels pack operands into, and how a weight is passed to them. */
import type { Weight } from "../kernels";
import type { WasmMemory } from "./memory";

/** Rows of a transposed operand packed at a time: T_BLOCK in assembly/gemm.ts. */
const T_BLOCK = 256;

export const up4 = (n: number): number => (n + 3) & ~3;
export const up8 = (n: number): number => (n + 7) & ~7;

/** Scratch of `multiplyTransposed` (assembly/gemm.ts) for a gradient of m × n. */
export const transposedBytes = (m: number, n: number): number => 128 + 4 * T_BLOCK * (up4(m) + up8(n));

/** Format number, address of the values, address of the scales: as assembly/packs.ts takes them. */
export function weightAddresses({ address }: WasmMemory, weight: Weight): [number, number, number] {
  switch (weight.format) {
    case "f32":
      return [0, address(weight.values), 0];
    case "f16":
      return [1, address(weight.packed), 0];
    case "int4":
      return [2, address(weight.packed), address(weight.scales)];
  }
}
