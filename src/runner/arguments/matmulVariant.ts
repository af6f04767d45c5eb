/**
 * The variant of the matrix product that the command line asks for on the WebGPU backend: `--products NAME`, or the variable
 * SRPO_PRODUCTS, which the flag sets so that processes and threads started by this one compute alike.
 */
import { PRODUCTS_OPTIONS, type ProductsOption } from "../../tensor/webgpu/kernels/products/choice";
import { type Arguments, UsageError } from "./usage";

export const PRODUCTS_VARIABLE = "SRPO_PRODUCTS";

export const productsFlag = {
  type: "string",
  valueHint: PRODUCTS_OPTIONS.join("|"),
  description: `Variant of the matrix product on the webgpu backend; by default register tiles on CPU adapters, and on GPUs the fastest, measured once. Also the variable ${PRODUCTS_VARIABLE}`,
} as const;

/** @throws UsageError when the flag's value is no variant */
export function forceProducts(args: Arguments): void {
  if (args.optional("products") !== null) process.env[PRODUCTS_VARIABLE] = args.oneOf("products", PRODUCTS_OPTIONS);
}

/** What is asked for; null: nothing. @throws UsageError when the variable's value is no variant */
export function forcedProducts(): ProductsOption | null {
  const value = process.env[PRODUCTS_VARIABLE];
  if (value === undefined || value === "") return null;
  const found = PRODUCTS_OPTIONS.find((name) => name === value);
  if (found === undefined)
    throw new UsageError(`${PRODUCTS_VARIABLE}: "${value}" is none of ${PRODUCTS_OPTIONS.join(", ")}`);
  return found;
}
