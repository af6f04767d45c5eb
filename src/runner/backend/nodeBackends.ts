/** The three backends in Node: WebGPU (Dawn), wasm, and the reference. */
import { freemem } from "node:os";
import type { Backend, BackendName } from "../../tensor/backend";
import { openReferenceBackend } from "../../tensor/reference/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import type { WebGpuBackend } from "../../tensor/webgpu/backend";
import { type AdapterLimits, adapterLimits } from "../../tensor/webgpu/device";
import { MatmulError } from "../../tensor/webgpu/kernels/matmul/choice";
import { nodeGpu, openNodeWebGpuBackend } from "../../tensor/webgpu/node";
import { forcedMatmul } from "../arguments/matmulVariant";
import { UsageError } from "../arguments/usage";

export function openNodeBackend(name: BackendName): Promise<Backend> {
  switch (name) {
    case "webgpu":
      return openWebGpu();
    case "wasm":
      return openWasmBackend();
    case "reference":
      return openReferenceBackend();
    default:
      return name satisfies never;
  }
}

/** @throws UsageError when the requested matmul variant cannot run on this adapter */
async function openWebGpu(): Promise<WebGpuBackend> {
  const matmul = forcedMatmul();
  try {
    return await openNodeWebGpuBackend(matmul === null ? {} : { matmul });
  } catch (error) {
    throw error instanceof MatmulError ? new UsageError(error.message) : error;
  }
}

/** Prints on stderr which adapter WebGPU chose: with several GPUs, or none, that is not obvious. */
export function reportAdapter({ description }: Backend): void {
  if (description.name === "webgpu") process.stderr.write(`WebGPU adapter: ${description.adapter}\n`);
}

/** Memory limits of a backend, without opening it. */
export async function backendLimits(name: BackendName): Promise<AdapterLimits> {
  switch (name) {
    case "webgpu":
      return adapterLimits(await nodeGpu());
    case "wasm":
      return {
        adapter: "SIMD, 1 thread, 4 GiB of memory",
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

/**
 * Free memory in bytes: of the host on CPU backends (at most 4 GiB on wasm); null on a GPU, which does not report it.
 */
export function memoryOf(name: BackendName, { software }: AdapterLimits): number | null {
  if (!software) return null;
  return name === "wasm" ? Math.min(2 ** 32, freemem()) : freemem();
}
