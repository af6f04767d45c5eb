/**
 * The variant of the matrix product that the command line asks for on the WebGPU backend: `--matmul NAME`, or the
 * variable SRPO_MATMUL, which the flag sets so that processes and threads started by this one compute alike.
 */
import { MATMUL_OPTIONS, type MatmulOption } from "../../tensor/webgpu/kernels/matmul/choice";
import { type Arguments, UsageError } from "./usage";

export const MATMUL_VARIABLE = "SRPO_MATMUL";

export const matmulFlag = {
  type: "string",
  valueHint: MATMUL_OPTIONS.join("|"),
  description:
    "Variant of the matrix product on the webgpu backend; by default register tiles on CPU adapters, and " +
    `on GPUs the fastest, measured once. Also the variable ${MATMUL_VARIABLE}`,
} as const;

/** @throws UsageError when the flag's value is no variant */
export function forceMatmul(args: Arguments): void {
  if (args.optional("matmul") !== null) process.env[MATMUL_VARIABLE] = args.oneOf("matmul", MATMUL_OPTIONS);
}

/** What is asked for; null: nothing. @throws UsageError when the variable's value is no variant */
export function forcedMatmul(): MatmulOption | null {
  const value = process.env[MATMUL_VARIABLE];
  if (value === undefined || value === "") return null;
  const found = MATMUL_OPTIONS.find((name) => name === value);
  if (found === undefined)
    throw new UsageError(`${MATMUL_VARIABLE}: "${value}" is none of ${MATMUL_OPTIONS.join(", ")}`);
  return found;
}
