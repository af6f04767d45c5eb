/** Homes on the command line: WebGPU by Dawn, wasm, or the reference; by default the first of them that opens. */
import { freemem } from "node:os";
import type { Home, HomeName } from "../../tensor/home";
import { openReferenceHome } from "../../tensor/reference/home";
import { openWasmHome } from "../../tensor/wasm/home";
import { type AdapterLimits, adapterLimits } from "../../tensor/webgpu/device";
import type { WebGpuHome } from "../../tensor/webgpu/home";
import { ProductsError } from "../../tensor/webgpu/kernels/products/choice";
import { nodeGpu, openNodeWebGpuHome } from "../../tensor/webgpu/node";
import { forcedProducts } from "../arguments/matmulVariant";
import { UsageError } from "../arguments/usage";

export const HOME_NAMES: readonly HomeName[] = ["webgpu", "wasm", "reference"];

export function openNodeHome(name: HomeName): Promise<Home> {
  switch (name) {
    case "webgpu":
      return openWebGpu();
    case "wasm":
      return openWasmHome();
    case "reference":
      return openReferenceHome();
    default:
      return name satisfies never;
  }
}

/** @throws UsageError when the variant of the product that was asked for cannot run */
async function openWebGpu(): Promise<WebGpuHome> {
  const products = forcedProducts();
  try {
    return await openNodeWebGpuHome(products === null ? {} : { products });
  } catch (error) {
    throw error instanceof ProductsError ? new UsageError(error.message) : error;
  }
}

/** What a home can hold, without opening it. */
export async function homeLimits(name: HomeName): Promise<AdapterLimits> {
  switch (name) {
    case "webgpu":
      return adapterLimits(await nodeGpu());
    case "wasm":
      return {
        adapter: "SIMD, 1 thread, 4 GiB of memory in all",
        bufferBytes: 2 ** 32,
        bindingBytes: 2 ** 32,
        software: true,
      };
    case "reference":
      return { adapter: "plain TensorFlow.js", bufferBytes: Infinity, bindingBytes: Infinity, software: true };
    default:
      return name satisfies never;
  }
}

/** Bytes that a home may still take: what the host has free, 4 GiB at most on the wasm home; null on a GPU, which does not tell. */
export function memoryOf(name: HomeName, { software }: AdapterLimits): number | null {
  if (!software) return null;
  return name === "wasm" ? Math.min(2 ** 32, freemem()) : freemem();
}
