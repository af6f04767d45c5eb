/**
 * Reading tensors back in one round trip: all copied into one mapped buffer, one submit, one wait.
 * (A wait costs about 100 ms in Firefox whatever its size.)
 */
import { type BackendCounters, DeviceLostError } from "../backend";
import type { Faults } from "./faults";
import type { BufferBinding, TfjsWebGpu } from "./tfjsWebGpu";

export interface ReadRequest {
  readonly binding: BufferBinding;
  /** Elements, which may be fewer than the binding holds. */
  readonly size: number;
  readonly integer: boolean;
}

const MIN_STAGING_BYTES = 4096;
const STAGING_KEPT = 4;

export class Readback {
  private idle: GPUBuffer[] = [];

  constructor(
    private readonly tfjs: TfjsWebGpu,
    private readonly faults: Faults,
    private readonly counters: BackendCounters,
  ) {}

  async read(requests: readonly ReadRequest[]): Promise<(Float32Array | Int32Array)[]> {
    this.faults.check();
    const { device } = this.tfjs;
    const total = requests.reduce((bytes, request) => bytes + 4 * request.size, 0);
    const staging = this.acquire(total);
    const encoder = this.tfjs.copyEncoder();
    let at = 0;
    for (const { binding, size } of requests) {
      if (size > 0) encoder.copyBufferToBuffer(binding.buffer, binding.offset, staging, at, 4 * size);
      at += 4 * size;
    }
    // An error in the recorded work makes the whole submit invalid, and zeros would come back: the scope's
    // answer arrives in order, after every earlier error.
    device.pushErrorScope("validation");
    this.tfjs.submitRecorded();
    const submitted = device.popErrorScope();
    this.counters.readbacks++;
    this.counters.bytesRead += total;
    const mapped = staging.mapAsync(GPUMapMode.READ, 0, Math.max(4, total));
    const [mapping, scope] = await Promise.allSettled([mapped, submitted]);
    await this.settleFaults(mapping, scope);
    const bytes = staging.getMappedRange(0, Math.max(4, total)).slice(0);
    staging.unmap();
    this.release(staging);
    at = 0;
    return requests.map(({ size, integer }) => {
      const values = integer ? new Int32Array(bytes, at, size) : new Float32Array(bytes, at, size);
      at += 4 * size;
      return values;
    });
  }

  destroy(): void {
    for (const buffer of this.idle) buffer.destroy();
    this.idle = [];
  }

  /** Throws what went wrong before or during the read, the earliest error first. */
  private async settleFaults(
    mapping: PromiseSettledResult<undefined>,
    scope: PromiseSettledResult<GPUError | null>,
  ): Promise<void> {
    const scoped = scope.status === "fulfilled" ? scope.value : null;
    // Error events and the loss are delivered as tasks of their own: let those that are due come first.
    if (mapping.status === "rejected" || scoped) await new Promise((resolve) => setTimeout(resolve, 0));
    this.faults.check();
    if (scoped) this.faults.report(scoped);
    this.faults.check();
    if (mapping.status === "rejected")
      throw new DeviceLostError(`Reading from the WebGPU device failed: ${String(mapping.reason)}`);
  }

  private acquire(bytes: number): GPUBuffer {
    const size = Math.max(MIN_STAGING_BYTES, 2 ** Math.ceil(Math.log2(Math.max(1, bytes))));
    const index = this.idle.findIndex((buffer) => buffer.size === size);
    const found = index >= 0 ? this.idle.splice(index, 1)[0] : undefined;
    return (
      found ??
      this.tfjs.device.createBuffer({
        label: "read-back",
        size,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      })
    );
  }

  private release(buffer: GPUBuffer): void {
    this.idle.push(buffer);
    if (this.idle.length > STAGING_KEPT) this.idle.shift()?.destroy();
  }
}
