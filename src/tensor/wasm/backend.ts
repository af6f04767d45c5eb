/**
 * The wasm backend: our AssemblyScript SIMD kernels in the memory of TensorFlow.js' wasm backend, one thread.
 * Kernels run synchronously, so there is nothing to flush and no device to lose. JavaScript's Math is not used: the
 * same inputs give the same bits on every machine that runs the same build of the kernels (assembly/math.ts, `madd`).
 */
import { type Tensor, util } from "@tensorflow/tfjs-core";
import type { Backend, BackendCounters } from "../backend";
import { directRecorder } from "../directRecorder";
import type { Kernels } from "../kernels";
import { wasmKernels } from "./kernels";
import { WasmMemory } from "./memory";

export interface WasmBackendOptions {
  /** Kernels with fused multiply-add, or without; by default with, where the engine has relaxed SIMD. */
  readonly fused?: boolean;
}

/** Opens a wasm backend with its own memory. Throws if WebAssembly SIMD or a binary is missing. */
export async function openWasmBackend(options: WasmBackendOptions = {}): Promise<Backend> {
  const counters: BackendCounters = { dispatches: 0, submits: 0, readbacks: 0, bytesUploaded: 0, bytesRead: 0 };
  const memory = await WasmMemory.open(() => {
    counters.dispatches += 1;
  }, options.fused ?? null);
  const kernels: Kernels = wasmKernels(memory);

  function write(tensor: Tensor, values: Float32Array | Int32Array, offset = 0): void {
    if (offset < 0 || offset + values.length > tensor.size) {
      throw new Error(
        `write: elements [${offset}, ${offset + values.length}) lie outside a tensor of ${tensor.size} elements`,
      );
    }
    if ((tensor.dtype === "int32") !== values instanceof Int32Array) {
      throw new Error(`write: the tensor is ${tensor.dtype}, the values are a ${values.constructor.name}`);
    }
    memory.elements(tensor).set(values, offset);
    counters.bytesUploaded += values.byteLength;
  }

  return {
    name: "wasm",
    description: {
      name: "wasm",
      adapter: "SIMD, 1 thread",
      features: memory.fused ? ["simd128", "relaxed-simd"] : ["simd128"],
    },
    kernels,
    counters,
    viewAlignment: 1,
    records: false,
    recorder: () => directRecorder,
    lost: new Promise(() => undefined),

    zeros(shape, dtype = "float32") {
      const tensor = memory.allocate(shape, dtype);
      memory.elements(tensor).fill(0);
      return tensor;
    },

    upload(values, shape) {
      if (util.sizeFromShape([...shape]) !== values.length) {
        throw new Error(`upload: ${values.length} values do not fill shape [${shape.join(", ")}]`);
      }
      const tensor = memory.allocate(shape, values instanceof Int32Array ? "int32" : "float32");
      write(tensor, values);
      return tensor;
    },

    write,
    view: (flat, offset, shape) => memory.view(flat, offset, shape),

    async read(tensors) {
      const values = tensors.map((tensor) => memory.elements(tensor).slice());
      counters.readbacks += 1;
      for (const part of values) counters.bytesRead += part.byteLength;
      return values;
    },

    flush: () => undefined,
    memoryBytes: () => memory.liveBytes,
    async dispose() {
      memory.close();
    },
  };
}
