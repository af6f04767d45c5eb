/**
 * Tensors in the memory of TensorFlow.js' wasm backend: one backend instance, and so one memory, for each backend.
 * Growing that memory detaches its ArrayBuffer, so every use creates new typed arrays.
 */

import { BackendWasm, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { engine, env, findBackendFactory, type Tensor, util } from "@tensorflow/tfjs-core";
import { type DataType, KernelError } from "../backend";
import { locateBinaries } from "./binaries";
import { instantiateKernels, type KernelExports } from "./kernelExports";

/** Emscripten's module object, as far as we look into it. */
interface EmscriptenModule {
  readonly asm: { readonly memory: WebAssembly.Memory };
}

export class WasmMemory {
  /** Bytes of tensors alive, views not counted. */
  liveBytes = 0;
  private scratchTensor: Tensor | null = null;
  private readonly views = new WeakSet<object>();
  private closed = false;

  private constructor(
    private readonly tfjs: BackendWasm,
    private readonly heap: WebAssembly.Memory,
    readonly exports: KernelExports,
    readonly fused: boolean,
  ) {
    const free = tfjs.disposeData.bind(tfjs);
    // Views borrow their address: only their registration ends. After `close`, the memory is gone as a whole.
    tfjs.disposeData = (dataId: object, force?: boolean): boolean => {
      if (this.closed) return true;
      const entry = tfjs.dataIdMap.get(dataId);
      if (this.views.has(dataId)) {
        tfjs.wasm.tfjs.disposeData(entry.id);
        tfjs.dataIdMap.delete(dataId);
        return true;
      }
      const released = free(dataId, force);
      if (released) this.liveBytes -= 4 * util.sizeFromShape(entry.shape);
      return released;
    };
  }

  /**
   * Starts TensorFlow.js' wasm backend (SIMD, one thread) and our kernels on its memory; `onKernel` is called for every
   * kernel run; `fused` as in binaries.ts.
   */
  static async open(onKernel: () => void, fused: boolean | null): Promise<WasmMemory> {
    const binaries = await locateBinaries(fused);
    env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
    if (!(await env().getAsync("WASM_HAS_SIMD_SUPPORT")))
      throw new Error("This browser's WebAssembly has no SIMD; the wasm backend needs it. Update the browser.");
    // Only the SIMD entry is used, but setWasmPaths wants all three.
    setWasmPaths({
      "tfjs-backend-wasm.wasm": binaries.tfjs,
      "tfjs-backend-wasm-simd.wasm": binaries.tfjs,
      "tfjs-backend-wasm-threaded-simd.wasm": binaries.tfjs,
    });
    // tfjs rejects with a bare { message } here, and sometimes with an Error.
    const tfjs = await Promise.resolve(findBackendFactory("wasm")()).catch((cause: unknown) => {
      throw new Error(
        `TensorFlow.js' wasm backend did not start from ${binaries.tfjs}. Check that this file is served.`,
        { cause },
      );
    });
    if (!(tfjs instanceof BackendWasm))
      throw new Error(
        'The TensorFlow.js backend registered as "wasm" is not tfjs-backend-wasm; ' +
          "two copies of TensorFlow.js may be loaded.",
      );
    const { memory } = (tfjs.wasm as BackendWasm["wasm"] & EmscriptenModule).asm;
    const opened = new WasmMemory(
      tfjs,
      memory,
      await instantiateKernels(binaries.kernels, memory, onKernel),
      binaries.fused,
    );
    const constants = engine().keep(opened.allocate([23]));
    opened.exports.placeConstants(opened.pointer(constants));
    return opened;
  }

  /** A new tensor with undefined contents. Throws KernelError when the memory cannot hold it. */
  allocate(shape: readonly number[], dtype: DataType = "float32"): Tensor {
    if (this.closed) throw new Error("The wasm backend is disposed; open a new one.");
    const bytes = 4 * util.sizeFromShape([...shape]);
    const full = () =>
      new KernelError(
        `A tensor of shape [${shape.join(", ")}] needs ${bytes} bytes; the wasm memory holds ${this.liveBytes} ` +
          "and cannot grow by that. Use a smaller batch.",
      );
    // TensorFlow.js truncates sizes modulo 2^32 and accepts address 0; both mean failure.
    if (bytes >= 2 ** 32) throw full();
    const tensor = engine().makeTensorFromTensorInfo(this.tfjs.makeOutput([...shape], dtype), this.tfjs);
    this.liveBytes += bytes;
    if (this.pointer(tensor) === 0) {
      tensor.dispose();
      throw full();
    }
    return tensor;
  }

  /** A tensor at `offset` elements into another's memory; disposing it frees nothing. */
  view(flat: Tensor, offset: number, shape: readonly number[]): Tensor {
    const size = util.sizeFromShape([...shape]);
    if (!Number.isInteger(offset) || offset < 0 || offset + size > flat.size) {
      throw new Error(`view: elements [${offset}, ${offset + size}) lie outside a tensor of ${flat.size} elements`);
    }
    const info = this.tfjs.makeOutput([...shape], flat.dtype, this.pointer(flat) + 4 * offset);
    this.views.add(info.dataId);
    return engine().makeTensorFromTensorInfo(info, this.tfjs);
  }

  /** Byte address of a tensor. */
  pointer(tensor: Tensor): number {
    if (tensor.isDisposed || !this.tfjs.dataIdMap.has(tensor.dataId)) {
      throw new Error(
        `A tensor of shape [${tensor.shape}] is ${tensor.isDisposed ? "disposed" : "not in this wasm backend"}.`,
      );
    }
    return this.tfjs.dataIdMap.get(tensor.dataId).memoryOffset;
  }

  /** Byte address of a tensor as the kernels take it: 0 for one that is absent. */
  readonly address = (tensor: Tensor | null): number => (tensor ? this.pointer(tensor) : 0);

  /** The bytes of a tensor, valid until the next allocation. */
  elements(tensor: Tensor): Float32Array | Int32Array {
    const { buffer } = this.heap;
    const at = this.pointer(tensor);
    return tensor.dtype === "int32"
      ? new Int32Array(buffer, at, tensor.size)
      : new Float32Array(buffer, at, tensor.size);
  }

  /** Address of at least `bytes` of scratch, overwritten by the next kernel; grows and is kept. */
  scratch(bytes: number): number {
    if (!this.scratchTensor || this.scratchTensor.size * 4 < bytes) {
      this.scratchTensor?.dispose();
      const scratch = this.allocate([Math.ceil((bytes * 1.25) / 4)]);
      engine().keep(scratch);
      this.scratchTensor = scratch;
    }
    return this.pointer(this.scratchTensor);
  }

  /** Copies a few integers to the start of scratch. */
  scratchIntegers(values: readonly number[], at: number): void {
    new Int32Array(this.heap.buffer, at, values.length).set(values);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.liveBytes = 0;
    this.tfjs.dispose();
  }
}
