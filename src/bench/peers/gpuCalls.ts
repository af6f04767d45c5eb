/**
 * Counts a peer's GPU calls by wrapping the methods on the prototypes that Dawn's objects share. For peers only: our
 * backend has counters of its own.
 */
export interface GpuCalls {
  dispatches: number;
  submits: number;
  readbacks: number;
  bytesUploaded: number;
}

/** Count from now on. WebGPU's globals must exist (`nodeGpu`). */
export function countGpuCalls(): GpuCalls {
  const calls: GpuCalls = { dispatches: 0, submits: 0, readbacks: 0, bytesUploaded: 0 };
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroups", () => void calls.dispatches++);
  before(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", () => void calls.dispatches++);
  before(GPUQueue.prototype, "submit", () => void calls.submits++);
  before(GPUBuffer.prototype, "mapAsync", () => void calls.readbacks++);
  before(GPUQueue.prototype, "writeBuffer", (_buffer, _at, data, _from, size) => {
    calls.bytesUploaded += typeof size === "number" ? size : (data as ArrayBuffer).byteLength;
  });
  return calls;
}

/** Call `hook` with the arguments before each call of a method. */
function before<T extends object>(prototype: T, name: keyof T & string, hook: (...args: unknown[]) => void): void {
  const method: unknown = Reflect.get(prototype, name);
  if (typeof method !== "function") throw new Error(`countGpuCalls: there is no method ${name}.`);
  Reflect.set(prototype, name, function counted(this: unknown, ...args: unknown[]): unknown {
    hook(...args);
    return Reflect.apply(method, this, args);
  });
}
