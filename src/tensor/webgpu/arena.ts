/**
 * Memory for what comes and goes inside recorded work. A tensor disposed there gives its buffer back to the arena,
 * never to tfjs' pool: a later replay writes into that buffer again, and it must not be somebody else's by then. Within
 * a recording, buffers are reused as soon as they are given back, in the order of the dispatches. Recordings run one
 * after another on the device's queue and leave nothing behind in the arena, so that all of a backend's share one. A
 * buffer stays in the arena as long as there are recordings.
 *
 * Work of one kind takes memory in the same order whatever its shapes are, so the buffers of its largest recording
 * serve all others, each in its place (`begin`). Without that order a smaller recording might be given a buffer that a
 * later part of it needs, and the arena would grow.
 */
import type { DataId } from "./tfjsWebGpu";

const LEAST_FILL = 0.5;
const SMALL_BYTES = 4096;

/** A free buffer is taken for a tensor of at least half of it; a small one for any that fits. */
export function fits(bytes: number, size: number): boolean {
  return bytes <= size && (size <= SMALL_BYTES || LEAST_FILL * size <= bytes);
}

/** Bytes of the smallest buffer that is made: `fits` anything smaller. */
export const LEAST_BUFFER_BYTES = SMALL_BYTES;

/** The buffers that a recording took, in order, and the bytes that it asked for. */
export interface Taken {
  readonly buffers: readonly GPUBuffer[];
  readonly bytes: number;
}

export class Arena {
  private free: GPUBuffer[] = [];
  private readonly lent = new Map<DataId, GPUBuffer>();
  private plan: readonly GPUBuffer[] = [];
  private taken: GPUBuffer[] = [];
  private takenBytes = 0;

  constructor(
    private readonly acquire: (bytes: number) => GPUBuffer,
    private readonly release: (buffer: GPUBuffer) => void,
  ) {}

  /** A recording begins. @param plan what an earlier one of the same kind took, in order */
  begin(plan: readonly GPUBuffer[]): void {
    this.plan = plan;
    this.taken = [];
    this.takenBytes = 0;
  }

  /** It has ended. */
  end(): Taken {
    const taken = { buffers: this.taken, bytes: this.takenBytes };
    this.begin([]);
    return taken;
  }

  /**
   * The buffer planned for this place where it is free and large enough; else the smallest free one that fits, or a new
   * one. `lend` says for which tensor.
   */
  take(bytes: number): GPUBuffer {
    const at = this.planned(bytes) ?? this.bestFit(bytes);
    const buffer = (at >= 0 ? this.free.splice(at, 1)[0] : undefined) ?? this.acquire(bytes);
    this.taken.push(buffer);
    this.takenBytes += bytes;
    return buffer;
  }

  lend(buffer: GPUBuffer, id: DataId): void {
    this.lent.set(id, buffer);
  }

  has(id: DataId): boolean {
    return this.lent.has(id);
  }

  /** Tensors that have not given their buffers back. */
  get lentCount(): number {
    return this.lent.size;
  }

  /** The tensor is gone; nothing happens if it is none of the arena's. */
  giveBack(id: DataId): void {
    const buffer = this.lent.get(id);
    if (buffer === undefined) return;
    this.lent.delete(id);
    this.free.push(buffer);
  }

  /** Hand all free buffers over to the pool. No work that uses them may be left to submit. */
  clear(): void {
    for (const buffer of this.free) this.release(buffer);
    this.free = [];
  }

  private planned(bytes: number): number | null {
    const buffer = this.plan[this.taken.length];
    const at = buffer === undefined || buffer.size < bytes ? -1 : this.free.indexOf(buffer);
    return at >= 0 ? at : null;
  }

  private bestFit(bytes: number): number {
    let best = -1;
    this.free.forEach(({ size }, i) => {
      if (fits(bytes, size) && size < (this.free[best]?.size ?? Infinity)) best = i;
    });
    return best;
  }
}
