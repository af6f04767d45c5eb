/**
 * The one place that touches private members of tfjs-backend-webgpu 4.22. TensorFlow.js records its own
 * work into a command encoder and compute pass that are private in TypeScript only; recording our
 * dispatches into the same pass is what keeps them in order with stock tf.* operations.
 *
 * What is changed against the stock backend, per instance:
 *  - `submitQueue` first uploads the parameters of our recorded dispatches (see dispatch.ts);
 *  - `tensorToBinding` binds a view at its offset (stock binds every tensor's buffer from byte 0);
 *  - `disposeData` tells us, so that the arena gets its buffers back (see arena.ts);
 *  - `read` goes through our packed read-back, so `tensor.data()` is right for views and padded buffers.
 */

import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { type DataType, env, type TensorInfo } from "@tensorflow/tfjs-core";

/** What tfjs keeps for a tensor; `values` is a CPU copy that must be null once the GPU copy is written. */
export interface TensorRecord {
  values: Float32Array | Int32Array | Uint8Array | null;
  dtype: DataType;
  shape: readonly number[];
  refCount: number;
  resource?: GPUBuffer | null;
  /** tfjs does not release the buffer with the tensor. */
  external?: boolean;
}

export type DataId = object;

export interface BufferBinding {
  readonly buffer: GPUBuffer;
  /** Bytes. */
  readonly offset: number;
  readonly size: number;
}

/** The private members we rely on, with the types they have in 4.22. */
interface BackendInternals {
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  /** Tensors that recorded, not yet submitted commands use; tfjs defers releasing their buffers. */
  commandQueueOwnedIds: WeakSet<DataId>;
  dispatchCountInPass: number;
  tensorToBinding(tensor: TensorInfo | null): GPUBindingResource | null;
  tensorMap: { get(id: DataId): TensorRecord; set(id: DataId, record: TensorRecord): void; has(id: DataId): boolean };
  bufferManager: {
    freeBuffers: Map<string, GPUBuffer[]>;
    numFreeBuffers: number;
    numBytesUsed: number;
    numBytesAllocated: number;
  };
  nextDataId(): number;
}

export interface BackendHooks {
  beforeSubmit(): void;
  afterSubmit(): void;
  stockDispatch(): void;
  /** The last tensor over this data is being disposed. */
  disposing(id: DataId): void;
  bindingOf(id: DataId): BufferBinding;
  read(id: DataId): Promise<Float32Array | Int32Array>;
}

export class TfjsWebGpu extends WebGPUBackend {
  private hooks: BackendHooks | null = null;

  /** Must be called once before any work. */
  install(hooks: BackendHooks): void {
    this.hooks = hooks;
    this.internals.tensorToBinding = (tensor) => (tensor === null ? null : hooks.bindingOf(tensor.dataId));
  }

  /** The documented cast: the class declares these members private, its instances have them. */
  get internals(): BackendInternals {
    return this as unknown as BackendInternals;
  }

  /** tfjs' setting for how many dispatches it records before submitting. */
  static setDispatchesPerSubmit(count: number): void {
    env().set("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE", count);
  }

  override submitQueue(): void {
    this.hooks?.beforeSubmit();
    super.submitQueue();
    this.hooks?.afterSubmit();
  }

  override runWebGPUProgram(...args: Parameters<WebGPUBackend["runWebGPUProgram"]>): TensorInfo {
    this.hooks?.stockDispatch();
    return super.runWebGPUProgram(...args);
  }

  override disposeData(id: DataId, force = false): boolean {
    const { tensorMap } = this.internals;
    if (tensorMap.has(id) && (force || tensorMap.get(id).refCount <= 1)) this.hooks?.disposing(id);
    return super.disposeData(id, force);
  }

  override async read(id: DataId): Promise<Float32Array | Int32Array | Uint8Array> {
    const record = this.internals.tensorMap.get(id);
    if (record.values !== null && record.values !== undefined) return record.values;
    if (!this.hooks) throw new Error("WebGPU backend: read before the backend was set up.");
    return this.hooks.read(id);
  }

  /** The pass that tfjs would record its next dispatch into. */
  computePass(): GPUComputePassEncoder {
    const own = this.internals;
    if (own.computePassEncoder) return own.computePassEncoder;
    this.ensureCommandEncoderReady();
    if (!own.commandEncoder) throw new Error("WebGPU backend: tfjs made no command encoder.");
    own.computePassEncoder = own.commandEncoder.beginComputePass();
    return own.computePassEncoder;
  }

  /** The encoder with no pass open, for copies. */
  copyEncoder(): GPUCommandEncoder {
    this.endComputePassEncoder();
    this.ensureCommandEncoderReady();
    const encoder = this.internals.commandEncoder;
    if (!encoder) throw new Error("WebGPU backend: tfjs made no command encoder.");
    return encoder;
  }

  hasRecordedWork(): boolean {
    return this.internals.commandEncoder !== null;
  }

  /** Submit what has been recorded; nothing if nothing was. */
  submitRecorded(): void {
    if (!this.hasRecordedWork()) return;
    this.endComputePassEncoder();
    this.submitQueue();
  }

  newDataId(record: TensorRecord): DataId {
    const id = { id: this.internals.nextDataId() };
    this.internals.tensorMap.set(id, record);
    return id;
  }

  /** Destroys recycled buffers (tfjs never does) until at most `keepBytes` of them are left. */
  trimFreeBuffers(keepBytes: number): number {
    const pool = this.internals.bufferManager;
    let free = pool.numBytesAllocated - pool.numBytesUsed;
    let destroyed = 0;
    for (const buffers of pool.freeBuffers.values()) {
      while (free > keepBytes) {
        const buffer = buffers.pop();
        if (!buffer) break;
        free -= buffer.size;
        pool.numBytesAllocated -= buffer.size;
        pool.numFreeBuffers--;
        buffer.destroy();
        destroyed++;
      }
    }
    return destroyed;
  }
}
