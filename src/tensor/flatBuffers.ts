/**
 * The four flat float32 buffers of everything trainable: theta, its gradient and AdamW's two moments, all with the same
 * layout. Copies on the host have no padding between groups, so a state taken on one backend (a lost WebGPU device) can
 * be restored on another.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend, Recorder } from "./backend";
import { directRecorder } from "./directRecorder";
import type { AdamWOptions } from "./kernels";

/** A snapshot of the trainable state: bit-exact copies of the three flat buffers. */
export interface ParameterState {
  readonly theta: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/** What became of an AdamW update; the caller reads both and disposes them. */
export interface AdamWResult {
  /** [1] ‖g‖² before clipping. */
  readonly gradSquares: Tensor;
  /** [1] 0 where the update was written; NaN where it was not, because something in it is not finite. */
  readonly refused: Tensor;
}

/** Where a trainable group lies in the buffers. */
export interface FlatRange {
  readonly offset: number;
  readonly size: number;
}

export class FlatBuffers {
  readonly theta: Tensor;
  readonly grad: Tensor;
  private readonly m: Tensor;
  private readonly v: Tensor;
  /** Number of values, without padding. */
  readonly count: number;

  /**
   * @param ranges of the groups, in order
   * @param length of a buffer, with padding
   */
  constructor(
    private readonly backend: Backend,
    private readonly ranges: readonly FlatRange[],
    length: number,
  ) {
    this.count = ranges.reduce((sum, { size }) => sum + size, 0);
    [this.theta, this.grad, this.m, this.v] = [
      backend.zeros([length]),
      backend.zeros([length]),
      backend.zeros([length]),
      backend.zeros([length]),
    ];
  }

  zeroGrad(recorder: Recorder = directRecorder): void {
    recorder.run("zero the gradient", [], {}, () => {
      this.backend.kernels.fill(this.grad, 0);
      return [];
    });
  }

  adamw(options: AdamWOptions, recorder: Recorder = directRecorder): AdamWResult {
    const { theta, grad, m, v } = this;
    const { learningRate, updateCount, ...fixed } = options;
    const [gradSquares, refused] = recorder.run(
      `adamw ${JSON.stringify(fixed, (_name, value: unknown) => (value === Infinity ? "off" : value))}`,
      [],
      { learningRate, updateCount },
      () => {
        const squares = this.backend.kernels.sumSquares(grad);
        return [squares, this.backend.kernels.adamw(theta, grad, m, v, squares, options)];
      },
    );
    if (gradSquares === undefined || refused === undefined)
      throw new Error("FlatBuffers.adamw: the recorded update did not return what became of it.");
    return { gradSquares, refused };
  }

  async state(): Promise<ParameterState> {
    const [theta, m, v] = await this.backend.read([this.theta, this.m, this.v]);
    return { theta: this.withoutPadding(theta), m: this.withoutPadding(m), v: this.withoutPadding(v) };
  }

  restore({ theta, m, v }: ParameterState): void {
    for (const [what, values] of [
      ["theta", theta],
      ["m", m],
      ["v", v],
    ] as const)
      this.write(what, values);
  }

  async read(which: "theta" | "grad"): Promise<Float32Array> {
    const [values] = await this.backend.read([this[which]]);
    return this.withoutPadding(values);
  }

  /** @throws Error when there are more or fewer values than trainable ones */
  write(which: "theta" | "grad" | "m" | "v", values: Float32Array): void {
    if (values.length !== this.count) {
      throw new Error(
        `ParameterSet: ${which} has ${values.length} values, this policy has ${this.count} trainable ones; it is ` +
          "from another policy or set of trainable parameters.",
      );
    }
    const into = this[which];
    if (into.size === values.length) return this.backend.write(into, values, 0);
    const padded = new Float32Array(into.size);
    let start = 0;
    for (const { offset, size } of this.ranges) {
      padded.set(values.subarray(start, start + size), offset);
      start += size;
    }
    this.backend.write(into, padded, 0);
  }

  dispose(): void {
    for (const buffer of [this.theta, this.grad, this.m, this.v]) buffer.dispose();
  }

  private withoutPadding(flat: ArrayLike<number> | undefined): Float32Array {
    const values = flat instanceof Float32Array ? flat : Float32Array.from(flat ?? []);
    if (values.length === this.count && values.byteLength === values.buffer.byteLength) return values;
    const compact = new Float32Array(this.count);
    let start = 0;
    for (const { offset, size } of this.ranges) {
      compact.set(values.subarray(offset, offset + size), start);
      start += size;
    }
    return compact;
  }
}
