/**
 * The tables of a window of decode steps: one slot for each response being written, and the sampler's buffers. Between
 * windows the tables are rewritten in place: responses come and go, while shapes, and with them the recorded step, stay
 * the same. An empty slot sees nothing, stores nothing and counts as done.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend, DataType } from "../../tensor/backend";
import type { SampleBuffers } from "../../tensor/kernels";
import type { RopeTables } from "../../tensor/ops/attention";
import type { MropeAngles } from "../layers/mrope";
import type { Slot } from "./slots";

export class DecodeSlots {
  readonly buffers: SampleBuffers;
  /** Cache row of each slot's first input of the window [slots], −1 for an empty one. */
  readonly cacheRows: Tensor;
  /** Cache rows seen at the window's first step [slots, 4]. */
  readonly visible: Tensor;
  /** Rotary angles of the window's steps [steps·slots, headDim/2], step by step. */
  readonly angles: RopeTables;

  /**
   * @param count slots
   * @param steps maximum steps per window
   * @param larger slots whose memory these share: dispose these before it
   */
  constructor(
    private readonly backend: Backend,
    private readonly mrope: MropeAngles,
    readonly count: number,
    private readonly steps: number,
    larger: DecodeSlots | null = null,
  ) {
    if (larger !== null && (count > larger.count || steps > larger.steps))
      throw new Error(
        `DecodeSlots: ${count} slots of ${steps} steps do not fit the memory of ${larger.count} of ` +
          `${larger.steps}.`,
      );
    const table = (shape: readonly number[], type: DataType, of: (decodeSlots: DecodeSlots) => Tensor): Tensor =>
      larger === null ? backend.zeros(shape, type) : backend.view(of(larger), 0, shape);
    this.buffers = {
      tokens: table([count, steps], "int32", (decodeSlots) => decodeSlots.buffers.tokens),
      logprobs: table([count, steps], "float32", (decodeSlots) => decodeSlots.buffers.logprobs),
      entropies: table([count, steps], "float32", (decodeSlots) => decodeSlots.buffers.entropies),
      allowed: table([count, steps], "float32", (decodeSlots) => decodeSlots.buffers.allowed),
      next: table([count], "int32", (decodeSlots) => decodeSlots.buffers.next),
      done: table([count], "int32", (decodeSlots) => decodeSlots.buffers.done),
      streams: table([count, 2], "int32", (decodeSlots) => decodeSlots.buffers.streams),
    };
    this.cacheRows = table([count], "int32", (decodeSlots) => decodeSlots.cacheRows);
    this.visible = table([count, 4], "int32", (decodeSlots) => decodeSlots.visible);
    const angleShape = [steps * count, mrope.half];
    this.angles = {
      cos: table(angleShape, "float32", (decodeSlots) => decodeSlots.angles.cos),
      sin: table(angleShape, "float32", (decodeSlots) => decodeSlots.angles.sin),
    };
  }

  /**
   * Fewer slots in the same memory, so that what a rollout holds does not depend on how its responses end. Dispose them
   * before these.
   */
  fewer(count: number): DecodeSlots {
    return new DecodeSlots(this.backend, this.mrope, count, this.steps, this);
  }

  /** All tensors, in a fixed order. */
  get tensors(): readonly Tensor[] {
    return [...Object.values(this.buffers), this.cacheRows, this.visible, this.angles.cos, this.angles.sin];
  }

  /** Begin a window of `steps` steps with these rows, the first in the first slot. */
  begin(rows: readonly Slot[], steps: number): void {
    const { count, backend, mrope } = this;
    const { half } = mrope;
    if (rows.length > count || steps > this.steps)
      throw new Error(
        `DecodeSlots: ${rows.length} rows and ${steps} steps for ${count} decodeSlots and ${this.steps} steps.`,
      );
    const next = new Int32Array(count);
    const done = new Int32Array(count).fill(1);
    const streams = new Int32Array(2 * count);
    const cacheRows = new Int32Array(count).fill(-1);
    const visible = new Int32Array(4 * count);
    const cos = new Float32Array(steps * count * half);
    const sin = new Float32Array(steps * count * half);
    rows.forEach((row, slot) => {
      const at = row.cacheRow + row.length;
      next[slot] = row.next;
      done[slot] = 0;
      streams.set([row.id, row.length], 2 * slot);
      cacheRows[slot] = at;
      visible.set([row.promptStart, row.promptEnd, row.cacheRow, at + 1], 4 * slot);
      for (let step = 0; step < steps; step++) {
        mrope.writeText(row.firstPosition + row.length + step, 1, cos, sin, (step * count + slot) * half);
      }
    });
    backend.write(this.buffers.next, next);
    backend.write(this.buffers.done, done);
    backend.write(this.buffers.streams, streams);
    backend.write(this.cacheRows, cacheRows);
    backend.write(this.visible, visible);
    backend.write(this.angles.cos, cos);
    backend.write(this.angles.sin, sin);
  }

  dispose(): void {
    // Dispose in reverse order: the next rollout reuses the same buffers in the same order, as its recording
    // expects.
    for (const tensor of [...this.tensors].reverse()) tensor.dispose();
  }
}
