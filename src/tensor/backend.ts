/**
 * A backend hosts the policy: a TensorFlow.js backend (its memory, device and transfers) plus our own kernels on it.
 * There are three:
 *
 *   webgpu     WGSL kernels recorded into tfjs-backend-webgpu's command encoder
 *   wasm       AssemblyScript SIMD kernels in tfjs-backend-wasm's memory
 *   reference  compositions of stock tf.* operations on tfjs-backend-cpu; gradients by tfjs' own autodiff
 *
 * A backend knows no model, no tape and no training. The code above uses it through this interface only, and never asks
 * which backend it runs on.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { DynamicOptions, Kernels } from "./kernels";

/** Fastest first: the order in which the page and the runner try them. */
export const BACKEND_NAMES = ["webgpu", "wasm", "reference"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

/** What the badge, the log and the benchmarks say about a backend. */
export interface BackendDescription {
  readonly name: BackendName;
  /** e.g. "NVIDIA Ada · Vulkan", "SwiftShader (CPU)", "SIMD, 1 thread", "plain TensorFlow.js". */
  readonly adapter: string;
  /** Adapter features or build traits that change which kernels run, e.g. ["shader-f16", "subgroups"]. */
  readonly features: readonly string[];
  /**
   * Which matmul variant computes which kind of product, where there are several. Another choice may differ in the last
   * bits.
   */
  readonly matmul?: string;
  /** Matrix products with f32 weights round an operand to f16: they agree with f32 to about 1e-3. */
  readonly f16Matmul?: true;
}

/** Counts since the backend was opened; differences between two readings measure a step. */
export interface BackendCounters {
  dispatches: number;
  submits: number;
  readbacks: number;
  bytesUploaded: number;
  bytesRead: number;
}

export type DataType = "float32" | "int32";

/**
 * Runs one piece of work repeatedly. Where the backend records (`Backend.records`), the first run with given shapes
 * records its dispatches and later runs replay them without calling `body`, at a fraction of the host's time. Elsewhere
 * every run calls `body`. Results are bit-identical either way.
 */
export interface Recorder {
  /**
   * @param key names the work and every number baked into it that is neither a shape nor in `dynamicOptions` (a
   *   temperature, a clip range): another key means another recording
   * @param inputs every tensor that `body` uses and that may differ between runs, each with memory of its own. Whatever
   *   else `body` uses (weights, gradients) must stay allocated: a replay throws when one was disposed
   * @param dynamicOptions kernel options that may differ between runs
   * @param body calls kernels, `zeros` and `view`, but not `upload`, `write` or `read`. Disposes everything it
   *   allocates except what it returns
   * @returns tensors as `body` returns them, new in every run; the caller disposes them. The work may only have been
   *   recorded: `Backend.flush` starts it, and reading anything waits for it
   */
  run(
    key: string,
    inputs: readonly Tensor[],
    dynamicOptions: DynamicOptions,
    body: () => readonly Tensor[],
  ): readonly Tensor[];

  /**
   * Allocate the memory that runs of `key` need for their largest shapes in advance. Does nothing where the backend
   * does not record, or when this `size` was reserved before.
   * @param size names those shapes
   * @param prepare makes inputs of those shapes → a body as for `run`, run without effect. The caller disposes the
   *   inputs
   */
  reserve(key: string, size: string, prepare: () => () => readonly Tensor[]): void;

  /** Forget all recordings and free their memory. */
  dispose(): void;
}

export interface Backend {
  readonly name: BackendName;
  readonly description: BackendDescription;
  readonly kernels: Kernels;
  readonly counters: BackendCounters;

  /** A new tensor filled with zeros, on the device. The caller disposes it. */
  zeros(shape: readonly number[], dtype?: DataType): Tensor;

  /**
   * A new tensor from host values. `values.length` must equal the product of `shape`.
   * @param capacity elements of the largest tensor expected in its place; where buffers are recycled, the buffer is
   *   made that large
   */
  upload(values: Float32Array | Int32Array, shape: readonly number[], capacity?: number): Tensor;

  /** Overwrite an existing tensor's elements from `offset` (elements) on, in place. */
  write(tensor: Tensor, values: Float32Array | Int32Array, offset?: number): void;

  /**
   * A tensor that shares memory with elements [offset, offset + size(shape)) of `flat`; writes through
   * either are seen by both. `offset` must be a multiple of `viewAlignment` elements. Disposing a view
   * frees nothing of `flat`; views must not outlive `flat`.
   */
  view(flat: Tensor, offset: number, shape: readonly number[]): Tensor;

  /** Views begin at multiples of this many 4-byte elements (64 on WebGPU: 256-byte binding offsets). */
  readonly viewAlignment: number;

  /**
   * Read several tensors back in ONE round trip (one mapped buffer on WebGPU). Waits for all work
   * recorded so far. Rejects with DeviceLostError when the device is gone.
   */
  read(tensors: readonly Tensor[]): Promise<(Float32Array | Int32Array)[]>;

  /** Whether recorders replay. Then padding batches to a few shapes pays off; elsewhere padding only costs. */
  readonly records: boolean;

  /** A recorder that keeps up to `kept` recordings and drops the least recently used first. The caller disposes it. */
  recorder(kept: number): Recorder;

  /** Submit recorded work without waiting (no-op on wasm and reference). */
  flush(): void;

  /** Bytes of device memory held by live tensors (and recycled buffers, on WebGPU). */
  memoryBytes(): number;

  /** Settles once, when the device is lost; never on wasm and reference unless `dispose`d with a reason. */
  readonly lost: Promise<DeviceLostError>;

  /** Destroy the device and everything on it. Safe to call twice. */
  dispose(): Promise<void>;
}

/** The device went away (driver reset, tab evicted, destroyed). State on it is gone; restore a snapshot. */
export class DeviceLostError extends Error {
  override readonly name = "DeviceLostError";
}

/** A kernel reported a validation or out-of-memory error; results since then cannot be trusted. */
export class KernelError extends Error {
  override readonly name = "KernelError";
}
