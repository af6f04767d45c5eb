/**
 * The backends that tests run on (WebGPU on Node's own adapter; without one its tests fail and say what to install).
 */
import type { Backend } from "../../tensor/backend";
import { openReferenceBackend } from "../../tensor/reference/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../../tensor/webgpu/node";

export const BACKENDS: readonly { readonly name: string; readonly open: () => Promise<Backend> }[] = [
  { name: "reference", open: openReferenceBackend },
  { name: "wasm", open: openWasmBackend },
  { name: "webgpu", open: () => openNodeWebGpuBackend() },
];
