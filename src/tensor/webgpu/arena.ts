/**
 * Memory for the temporary tensors of recorded work. A tensor disposed there returns its buffer to the arena, never to
 * tfjs' pool: a later replay writes into that buffer again, and nobody else may own it by then. Within a recording,
 * buffers are reused as soon as they are returned, in dispatch order. Recordings run one after another on the device's
 * queue and leave nothing in the arena, so all recordings of a backend share one. A buffer stays in the arena as long
 * as there are recordings.
 *
 * Work of one kind allocates in the same order whatever its shapes, so the buffers of its largest recording serve all
 * others, each at its index (`begin`). Without that order a smaller recording might take a buffer that a later part of
 * it needs, and the arena would grow.
 */
import type { DataId } from "./tfjsWebGpu";

const LEAST_FILL = 0.5;
const SMALL_BYTES = 4096;

/** A free buffer is used for a tensor of at least half its size; a small one for any tensor that fits. */
export function fits(bytes: number, size: number): boolean {
  return bytes <= size && (size <= SMALL_BYTES || LEAST_FILL * size <= bytes);
}

/** Size of the smallest buffers: they serve anything smaller. */
export const LEAST_BUFFER_BYTES = SMALL_BYTES;

/** The buffers that a recording used, in order, and the bytes that it requested. */
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

  /** Begin a recording. @param plan what an earlier one of the same kind used, in order */
  begin(plan: readonly GPUBuffer[]): void {
    this.plan = plan;
    this.taken = [];
    this.takenBytes = 0;
  }

  /** End the recording. */
  end(): Taken {
    const taken = { buffers: this.taken, bytes: this.takenBytes };
    this.begin([]);
    return taken;
  }

  /**
   * The buffer planned at this index if it is free and large enough; else the smallest free one that fits, or a new
   * one. `lend` records which tensor has it.
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

  /** Tensors that have not returned their buffers. */
  get lentCount(): number {
    return this.lent.size;
  }

  /** The tensor was disposed; ignored if it is not in the arena. */
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
