/**
 * Tensors of the WebGPU backend as ranges of GPU buffers. A tensor either owns a buffer of tfjs' pool or is a
 * view: a range of another tensor's buffer, kept in our own table dataId → range. A buffer may be larger than its
 * tensor: a packed batch seldom repeats its size, so buffers of passing tensors get some headroom, and a free one is
 * taken for any tensor that half fills it (arena.ts). Callers that know the maximum batch size pass it (`capacity`,
 * `Recorder.reserve`); the first step then allocates everything later steps need.
 */
import { engine, type Tensor, util } from "@tensorflow/tfjs-core";
import type { BackendCounters, DataType } from "../backend";
import { Arena, fits, LEAST_BUFFER_BYTES } from "./arena";
import type { BufferBinding, DataId, TensorRecord, TfjsWebGpu } from "./tfjsWebGpu";

/** Byte offsets of bindings must be multiples of 256 on every adapter (minStorageBufferOffsetAlignment ≤ 256). */
const BINDING_ALIGNMENT = 256;
export const VIEW_ALIGNMENT = BINDING_ALIGNMENT / 4;

/** Recycled buffers are destroyed beyond this many bytes, or beyond this share of what is in use, whichever is more. */
const FREE_BYTES_KEPT = 256 * 2 ** 20;
const FREE_SHARE_KEPT = 0.25;

/**
 * Tensors made by `zeros` are weights, caches and gradients: from this size on they get a buffer of exactly their size.
 */
const EXACT_FROM_BYTES = 8 * 2 ** 20;

/** Temporary tensors below that size get buffers this many times larger. */
const HEADROOM = 1.25;

interface View extends BufferBinding {
  /** The tensor data that owns the buffer. */
  readonly owner: DataId;
}

/** What a kernel needs of the storage: tensors for its results and its scratch. */
export interface TensorAllocator {
  /** A tensor with undefined contents. */
  allocate(shape: readonly number[], dtype: DataType): Tensor;
}

export class Storage implements TensorAllocator {
  /** Tensors are being made by work that is recorded: they live in the arena. */
  recording = false;
  /** The current work has the largest size expected: its buffers need no headroom. */
  reserving = false;
  readonly arena: Arena;
  private readonly views = new WeakMap<DataId, View>();
  /** Sizes of buffers of temporary tensors so far, ascending. */
  private readonly sizes: number[] = [];
  private readonly usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

  constructor(
    private readonly tfjs: TfjsWebGpu,
    private readonly counters: BackendCounters,
  ) {
    this.arena = new Arena(
      (bytes) => this.acquire(bytes),
      (buffer) => tfjs.bufferManager.releaseBuffer(buffer),
    );
  }

  /** A tensor with undefined contents. @param capacity bytes that its buffer holds at least */
  allocate(shape: readonly number[], dtype: DataType, { lasting = false, capacity = 0 } = {}): Tensor {
    const needed = Math.max(bytesOf(shape), capacity);
    const limit = this.tfjs.device.limits.maxBufferSize;
    if (needed > limit) {
      throw new Error(
        `A tensor [${shape.join(", ")}] needs ${needed} bytes; this adapter's buffers hold at most ${limit}.`,
      );
    }
    if (this.recording) return this.allocateInArena(shape, dtype, needed);
    const buffer = lasting ? this.acquireLasting(needed) : this.acquire(needed);
    return this.wrap(shape, dtype, { values: null, dtype, shape, refCount: 1, resource: buffer });
  }

  /**
   * Give an arena tensor to its holder: it moves to a buffer of its own, which is freed with it. (The arena keeps the
   * old one: other recordings use it.)
   * @param capacity as for `allocate`
   * → where it was; null if it was not in the arena
   */
  moveOut(tensor: Tensor, capacity = 0): BufferBinding | null {
    const id = tensor.dataId;
    const old = this.views.get(id);
    if (old === undefined || !this.arena.has(id)) return null;
    const buffer = this.acquire(Math.max(old.size, capacity));
    this.tfjs.copyEncoder().copyBufferToBuffer(old.buffer, 0, buffer, 0, old.size);
    this.arena.giveBack(id);
    this.views.delete(id);
    const record = this.tfjs.internals.tensorMap.get(id);
    record.resource = buffer;
    record.external = false;
    this.markUsed(id);
    return old;
  }

  view(flat: Tensor, offset: number, shape: readonly number[]): Tensor {
    const elements = util.sizeFromShape([...shape]);
    if (offset % VIEW_ALIGNMENT !== 0 || offset < 0) {
      throw new Error(`view: offset ${offset} is not a multiple of ${VIEW_ALIGNMENT} elements.`);
    }
    if (offset + elements > flat.size) {
      throw new Error(`view: elements ${offset} to ${offset + elements} lie outside a tensor of ${flat.size}.`);
    }
    const base = this.binding(flat);
    const dtype: DataType = flat.dtype === "int32" ? "int32" : "float32";
    const tensor = this.wrap(shape, dtype, {
      values: null,
      dtype,
      shape,
      refCount: 1,
      resource: base.buffer,
      external: true,
    });
    const owner = this.ownerOf(flat.dataId);
    this.views.set(tensor.dataId, {
      buffer: base.buffer,
      offset: base.offset + 4 * offset,
      size: Math.max(4, 4 * elements),
      owner,
    });
    return tensor;
  }

  /** The tensor data that owns the buffer: that of the flat tensor for a view. */
  ownerOf(id: DataId): DataId {
    return this.views.get(id)?.owner ?? id;
  }

  isAlive(id: DataId): boolean {
    const { tensorMap } = this.tfjs.internals;
    return tensorMap.has(id) && tensorMap.get(id).refCount > 0;
  }

  /** Where a tensor lies; uploads it first if tfjs still holds it on the CPU. */
  binding(tensor: Tensor): BufferBinding {
    if (tensor.isDisposed) throw new Error(`A disposed tensor [${tensor.shape.join(", ")}] was used.`);
    return this.bindingOf(tensor.dataId);
  }

  bindingOf(id: DataId): BufferBinding {
    const view = this.views.get(id);
    if (view) return view;
    const { tensorMap } = this.tfjs.internals;
    if (!tensorMap.has(id))
      throw new Error("A tensor of another backend or of a disposed backend was given to the WebGPU backend.");
    const record = tensorMap.get(id);
    if (!record.resource) this.tfjs.uploadToGPU(id);
    const buffer = record.resource;
    if (!buffer) throw new Error("tfjs gave a tensor no GPU buffer.");
    return { buffer, offset: 0, size: boundBytes(record.shape, buffer) };
  }

  /** Recorded commands use this tensor: its buffer must not be recycled before they are submitted. */
  markUsed(id: DataId): void {
    const owned = this.tfjs.internals.commandQueueOwnedIds;
    owned.add(id);
    const view = this.views.get(id);
    if (view) owned.add(view.owner);
  }

  /**
   * Contents from the host. A pooled buffer is free of recorded work, so the write cannot overtake any.
   * @param capacity elements that its buffer holds at least
   */
  upload(values: Float32Array | Int32Array, shape: readonly number[], capacity = 0): Tensor {
    if (values.length !== util.sizeFromShape([...shape])) {
      throw new Error(`upload: ${values.length} values for shape [${shape.join(", ")}].`);
    }
    const tensor = this.allocate(shape, values instanceof Int32Array ? "int32" : "float32", { capacity: 4 * capacity });
    this.writeBuffer(this.binding(tensor), values, 0);
    return tensor;
  }

  /** Overwrites in place, after all work recorded before. */
  write(tensor: Tensor, values: Float32Array | Int32Array, offset: number): void {
    if (offset < 0 || offset + values.length > tensor.size) {
      throw new Error(`write: elements ${offset} to ${offset + values.length} lie outside a tensor of ${tensor.size}.`);
    }
    const expected = tensor.dtype === "int32" ? Int32Array : Float32Array;
    if (!(values instanceof expected)) throw new Error(`write: a ${tensor.dtype} tensor takes a ${expected.name}.`);
    const binding = this.binding(tensor);
    const owner = this.ownerOf(tensor.dataId);
    const owned = this.tfjs.internals.commandQueueOwnedIds;
    if (owned.has(owner) || owned.has(tensor.dataId)) this.tfjs.submitRecorded();
    this.writeBuffer(binding, values, offset);
  }

  zeros(shape: readonly number[], dtype: DataType): Tensor {
    const tensor = this.allocate(shape, dtype, { lasting: true });
    if (tensor.size === 0) return tensor;
    const { buffer, offset, size } = this.binding(tensor);
    this.tfjs.copyEncoder().clearBuffer(buffer, offset, size);
    this.markUsed(tensor.dataId);
    return tensor;
  }

  bytes(): number {
    return this.tfjs.bufferManager.numBytesAllocated;
  }

  /** Frees recycled buffers when they outgrow what is in use. Called after a submit. Returns how many went. */
  trim(): number {
    const { numBytesUsed, numBytesAllocated } = this.tfjs.bufferManager;
    const keep = Math.max(FREE_BYTES_KEPT, FREE_SHARE_KEPT * numBytesUsed);
    return numBytesAllocated - numBytesUsed > keep ? this.tfjs.trimFreeBuffers(keep / 2) : 0;
  }

  private allocateInArena(shape: readonly number[], dtype: DataType, size: number): Tensor {
    const buffer = this.arena.take(size);
    const tensor = this.wrap(shape, dtype, {
      values: null,
      dtype,
      shape,
      refCount: 1,
      resource: buffer,
      external: true,
    });
    this.views.set(tensor.dataId, { buffer, offset: 0, size: boundBytes(shape, buffer), owner: tensor.dataId });
    this.arena.lend(buffer, tensor.dataId);
    return tensor;
  }

  /** The smallest free buffer that such a tensor half fills, or a new one with headroom. */
  private acquire(bytes: number): GPUBuffer {
    const pool = this.tfjs.bufferManager;
    const { freeBuffers } = this.tfjs.internals.bufferManager;
    for (let i = firstAtLeast(this.sizes, bytes); i < this.sizes.length; i++) {
      const size = this.sizes[i] ?? Infinity;
      if (!fits(bytes, size)) break;
      if ((freeBuffers.get(`${size}_${this.usage}`)?.length ?? 0) > 0) return pool.acquireBuffer(size, this.usage);
    }
    const wanted = this.reserving || HEADROOM * bytes >= EXACT_FROM_BYTES ? bytes : HEADROOM * bytes;
    const rounded = bufferBytes(Math.max(LEAST_BUFFER_BYTES, wanted));
    const size = rounded <= this.tfjs.device.limits.maxBufferSize ? rounded : bytes;
    const at = firstAtLeast(this.sizes, size);
    if (this.sizes[at] !== size) this.sizes.splice(at, 0, size);
    return pool.acquireBuffer(size, this.usage);
  }

  private acquireLasting(bytes: number): GPUBuffer {
    return this.tfjs.bufferManager.acquireBuffer(bytes < EXACT_FROM_BYTES ? bufferBytes(bytes) : bytes, this.usage);
  }

  private writeBuffer(binding: BufferBinding, values: Float32Array | Int32Array, offset: number): void {
    if (values.length === 0) return;
    this.tfjs.queue.writeBuffer(
      binding.buffer,
      binding.offset + 4 * offset,
      values.buffer,
      values.byteOffset,
      values.byteLength,
    );
    this.counters.bytesUploaded += values.byteLength;
  }

  private wrap(shape: readonly number[], dtype: DataType, record: TensorRecord): Tensor {
    const id = this.tfjs.newDataId(record);
    return engine().makeTensorFromDataId(id, [...shape], dtype, this.tfjs);
  }
}

function bytesOf(shape: readonly number[]): number {
  let elements = 1;
  for (const extent of shape) elements *= extent;
  return Math.max(4, 4 * elements);
}

/** What is bound of a tensor's buffer: whole binding units, since kernels may read their elements four at a time. */
function boundBytes(shape: readonly number[], buffer: GPUBuffer): number {
  return Math.min(buffer.size, Math.ceil(bytesOf(shape) / BINDING_ALIGNMENT) * BINDING_ALIGNMENT);
}

/** Index of the first of the ascending numbers that is at least `least`. */
function firstAtLeast(ascending: readonly number[], least: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? Infinity) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Bytes of the buffer for a tensor: at least one binding unit, at most an eighth more than requested. */
function bufferBytes(bytes: number): number {
  if (bytes <= BINDING_ALIGNMENT) return BINDING_ALIGNMENT;
  const step = Math.max(BINDING_ALIGNMENT, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.ceil(bytes / step) * step;
}
