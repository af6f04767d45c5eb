/**
 * TensorFlow.js as a user installs it: the package @tensorflow/tfjs, which registers its CPU backend, every kernel and
 * every gradient, with the package of the WebAssembly or the WebGPU backend. The WebGPU one is opened with the features
 * and limits of its own base.js, which registers nothing when it is imported before `navigator.gpu` exists.
 */
import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type { BackendName } from "../../../tensor/backend";
import { nodeGpu } from "../../../tensor/webgpu/node";
import { countGpuCalls, type GpuCalls } from "../gpuCalls";

const LIMITS = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupSizeX",
  "maxComputeInvocationsPerWorkgroup",
] as const;

export interface OpenedTfjs {
  readonly adapter: string;
  /** Null where there is no GPU to count calls of. */
  readonly calls: GpuCalls | null;
  close(): void;
}

/** Makes TensorFlow.js' backend for one of our backend names active; for the reference backend it is "cpu". */
export async function openTfjsBackend(backend: BackendName): Promise<OpenedTfjs> {
  switch (backend) {
    case "webgpu":
      return openWebGpu();
    case "wasm": {
      const simd = createRequire(import.meta.url).resolve(
        "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
      );
      tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
      setWasmPaths({
        "tfjs-backend-wasm.wasm": simd,
        "tfjs-backend-wasm-simd.wasm": simd,
        "tfjs-backend-wasm-threaded-simd.wasm": simd,
      });
      await activate("wasm");
      return { adapter: "SIMD, 1 thread", calls: null, close: () => undefined };
    }
    case "reference":
      await activate("cpu");
      return { adapter: "JavaScript, 1 thread", calls: null, close: () => undefined };
    default:
      return backend satisfies never;
  }
}

async function openWebGpu(): Promise<OpenedTfjs> {
  const gpu = await nodeGpu();
  const calls = countGpuCalls();
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("WebGPU offers no adapter; see npm run bench -- --help.");
  const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has("timestamp-query") ? ["timestamp-query"] : [],
    requiredLimits: Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]])),
  });
  const errors: string[] = [];
  device.addEventListener("uncapturederror", ({ error }) => {
    errors.push(error.message);
    throw new Error(`TensorFlow.js' WebGPU backend computed nothing: ${error.message}`);
  });
  if (tf.findBackendFactory("webgpu")) tf.removeBackend("webgpu");
  tf.registerBackend("webgpu", () => new WebGPUBackend(device, adapter.info));
  await activate("webgpu");
  return { adapter: adapter.info.description || adapter.info.vendor, calls, close: () => device.destroy() };
}

async function activate(name: string): Promise<void> {
  if (!(await tf.setBackend(name))) throw new Error(`TensorFlow.js' backend ${name} did not start.`);
}
