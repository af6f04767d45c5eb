/**
 * The matmul variant of the WebGPU backend: `--matmul NAME`, or the variable SRPO_MATMUL, which the flag sets so that
 * processes and threads started by this one use the same variant.
 */
import { MATMUL_OPTIONS, type MatmulOption } from "../../tensor/webgpu/kernels/matmul/choice";
import { type Arguments, UsageError } from "./usage";

export const MATMUL_VARIABLE = "SRPO_MATMUL";

export const matmulFlag = {
  type: "string",
  valueHint: MATMUL_OPTIONS.join("|"),
  description:
    "Matmul variant of the webgpu backend (default: registerTiles on CPUs, the fastest on GPUs). Also " +
    `${MATMUL_VARIABLE}`,
} as const;

/** @throws UsageError when the flag's value is not a variant */
export function forceMatmul(args: Arguments): void {
  if (args.optional("matmul") !== null) process.env[MATMUL_VARIABLE] = args.oneOf("matmul", MATMUL_OPTIONS);
}

/** The variant that was set; null: none. @throws UsageError when the variable's value is not a variant */
export function forcedMatmul(): MatmulOption | null {
  const value = process.env[MATMUL_VARIABLE];
  if (value === undefined || value === "") return null;
  const found = MATMUL_OPTIONS.find((name) => name === value);
  if (found === undefined)
    throw new UsageError(`${MATMUL_VARIABLE}: "${value}" is not one of ${MATMUL_OPTIONS.join(", ")}`);
  return found;
}
