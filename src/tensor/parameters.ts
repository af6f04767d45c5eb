/**
 * The parameters of a policy. Everything trainable lies in ONE flat float32 buffer theta, with its gradient and
 * AdamW's two moments beside it in buffers of the same layout: an optimiser step is one pass, micro-batches
 * accumulate by themselves, and a snapshot is three arrays. Frozen parameters are tensors of their own, without
 * gradient or moments, and may be packed (f16, int4).
 *
 * A *group* is what a kernel binds: one matrix or vector. Its parts are the tensors as they are named on disk,
 * stacked by rows (q|k|v, gate|up), so that fused projections and Hugging Face names coexist without copies.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { directRecorder } from "./directRecorder";
import type { Home, Recorder } from "./home";
import type { AdamWOptions, Weight } from "./kernels";
import { disposeWeight, emptyWeight, unpackWeight, writeRows, type WeightFormat } from "./packedWeight";

export interface ParameterPart {
  /** Name on disk, e.g. "model.layers.0.self_attn.q_proj.weight". */
  readonly name: string;
  /** Shape on disk; its first dimension counts rows of the group's matrix. */
  readonly shape: readonly number[];
}

export interface ParameterGroup {
  /** Unique within the set, e.g. "model.layers.0.self_attn.qkv.weight". */
  readonly key: string;
  readonly parts: readonly ParameterPart[];
  readonly trainable: boolean;
  /** Storage of a frozen matrix; trainable groups and vectors are always f32. */
  readonly format?: WeightFormat;
}

/** A vector parameter (bias, norm weight) as kernels bind it. `grad` is null when frozen. */
export interface VectorParameter {
  readonly value: Tensor;
  readonly grad: Tensor | null;
}

/** A matrix parameter as kernels bind it. `grad` is null when frozen. */
export interface MatrixParameter {
  readonly weight: Weight;
  readonly grad: Tensor | null;
}

/** A snapshot of the trainable state: bit-exact copies of the three flat buffers. */
export interface ParameterState {
  readonly theta: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

interface Bound {
  readonly group: ParameterGroup;
  readonly shape: readonly number[];
  readonly size: number;
  /** Elements from the start of theta, or −1 when frozen. */
  readonly offset: number;
  readonly value: Tensor | null;
  readonly grad: Tensor | null;
  readonly weight: Weight | null;
  /** A packed group's parts that have not been written to their last row; zeros would be no weights. */
  readonly missing: Set<string>;
}

interface Slice { readonly bound: Bound; readonly part: ParameterPart; readonly offset: number; readonly size: number }

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** Rows × columns of a group: parts stacked by rows, every further dimension flattened into the columns; vectors stay vectors. */
function groupShape(group: ParameterGroup): readonly number[] {
  const columns = group.parts.map((part) => sizeOf(part.shape.slice(1)));
  if (columns.some((c) => c !== columns[0])) {
    throw new Error(`Parameter group ${group.key}: its parts have different row lengths (${columns.join(", ")}).`);
  }
  const rows = group.parts.reduce((sum, part) => sum + (part.shape[0] ?? 1), 0);
  return group.parts[0]?.shape.length === 1 ? [rows] : [rows, columns[0] ?? 1];
}

export class ParameterSet {
  /** Number of trainable values (padding between views not counted). */
  readonly trainableCount: number;
  /** Number of values, trainable or not. */
  readonly count: number;
  /** Raised whenever a value changes, so that copies elsewhere know when they are out of date. */
  #version = 0;
  #frozenVersion = 0;
  private readonly bound = new Map<string, Bound>();
  private readonly slices = new Map<string, Slice>();
  private readonly theta: Tensor | null;
  private readonly grad: Tensor | null;
  private readonly m: Tensor | null;
  private readonly v: Tensor | null;

  /** Allocates every group, filled with zeros (packed groups may be used once all their parts are written). */
  constructor(readonly home: Home, groups: readonly ParameterGroup[]) {
    const align = home.viewAlignment;
    let flat = 0;
    let trainable = 0;
    let count = 0;
    const offsets = groups.map((group) => {
      const size = sizeOf(groupShape(group));
      count += size;
      if (!group.trainable) return -1;
      const offset = flat;
      trainable += size;
      flat = Math.ceil((flat + size) / align) * align;
      return offset;
    });
    this.count = count;
    this.trainableCount = trainable;
    const buffer = (): Tensor | null => (flat > 0 ? home.zeros([flat]) : null);
    [this.theta, this.grad, this.m, this.v] = [buffer(), buffer(), buffer(), buffer()];
    groups.forEach((group, i) => this.bind(group, offsets[i] ?? -1));
  }

  get version(): number {
    return this.#version;
  }

  /** Raised whenever a frozen value changes. */
  get frozenVersion(): number {
    return this.#frozenVersion;
  }

  /** Names on disk, in order. */
  names(): string[] {
    return [...this.slices.keys()];
  }

  has(name: string): boolean {
    return this.slices.has(name);
  }

  shapeOf(name: string): readonly number[] {
    return this.slice(name).part.shape;
  }

  isTrainable(name: string): boolean {
    return this.slice(name).bound.offset >= 0;
  }

  /** The matrix a kernel binds for group `key`. */
  matrix(key: string): MatrixParameter {
    const bound = this.group(key);
    if (bound.weight === null) throw new Error(`Parameter group ${key} is no matrix.`);
    if (bound.missing.size > 0) throw new Error(`Parameter group ${key} is not loaded yet: ${[...bound.missing].join(", ")} missing.`);
    return { weight: bound.weight, grad: bound.grad };
  }

  /** The vector a kernel binds for group `key`. */
  vector(key: string): VectorParameter {
    const bound = this.group(key);
    if (bound.value === null || bound.shape.length !== 1) throw new Error(`Parameter group ${key} is not a vector.`);
    return { value: bound.value, grad: bound.grad };
  }

  hasGroup(key: string): boolean {
    return this.bound.has(key);
  }

  /** Set one named tensor from host values. @throws Error when the number of values differs from its shape. */
  write(name: string, values: Float32Array): void {
    const { bound, offset, size } = this.slice(name);
    if (values.length !== size) {
      throw new Error(`Parameter ${name} has shape [${this.shapeOf(name).join(", ")}] = ${size} values, got ${values.length}.`);
    }
    this.changed(bound);
    if (bound.value !== null) this.home.write(bound.value, values, offset);
    else this.writePacked(bound, name, values, 0);
  }

  /**
   * Set rows of one named tensor from row `firstRow` of its first dimension on, so that a tensor larger than the host's memory
   * comes in pieces. Pieces of a packed tensor come in order: it counts as loaded with its last row.
   * @throws Error when the values are no whole rows of it, or too many
   */
  writeRows(name: string, firstRow: number, values: Float32Array): void {
    const { bound, part, offset, size } = this.slice(name);
    const columns = sizeOf(part.shape.slice(1));
    if (values.length % columns !== 0 || firstRow < 0 || firstRow * columns + values.length > size) {
      throw new Error(`Parameter ${name} has shape [${part.shape.join(", ")}]; ${values.length} values from row ${firstRow} on are no whole rows of it.`);
    }
    this.changed(bound);
    if (bound.value !== null) this.home.write(bound.value, values, offset + firstRow * columns);
    else this.writePacked(bound, name, values, firstRow);
  }

  /** Copy one named tensor to the host. */
  async read(name: string): Promise<Float32Array> {
    const { bound, offset, size } = this.slice(name);
    if (bound.value === null) return (await unpackWeight(this.home, this.matrix(bound.group.key).weight)).slice(offset, offset + size);
    return (await this.readFloats(bound.value)).slice(offset, offset + size);
  }

  /** Copy every named tensor to the host in one round trip. Packed (frozen) matrices come back as their packed values. */
  async readAll(): Promise<Map<string, Float32Array>> {
    const plain = [...this.bound.values()].filter((b) => b.value !== null && b.offset < 0);
    const tensors = plain.flatMap((b) => (b.value === null ? [] : [b.value]));
    const read = await this.home.read(this.theta === null ? tensors : [...tensors, this.theta]);
    const theta = read[tensors.length];
    const values = new Map<Bound, Float32Array>(plain.map((b, i) => [b, Float32Array.from(read[i] ?? [])]));
    const all = new Map<string, Float32Array>();
    for (const [name, { bound, offset, size }] of this.slices) {
      if (bound.value === null) all.set(name, await this.read(name));
      else if (bound.offset < 0) all.set(name, (values.get(bound) ?? new Float32Array(0)).slice(offset, offset + size));
      else all.set(name, Float32Array.from((theta ?? new Float32Array(0)).subarray(bound.offset + offset, bound.offset + offset + size)));
    }
    return all;
  }

  /** Copy one named tensor's gradient to the host. @throws Error when it is frozen. */
  async readGrad(name: string): Promise<Float32Array> {
    const { bound, offset, size } = this.slice(name);
    if (bound.grad === null) throw new Error(`Parameter ${name} is frozen and has no gradient.`);
    return (await this.readFloats(bound.grad)).slice(offset, offset + size);
  }

  /** Every trainable tensor's gradient, in one round trip. */
  async readAllGrads(): Promise<Map<string, Float32Array>> {
    const grad = await this.readFloats(this.trainableBuffers().grad);
    const all = new Map<string, Float32Array>();
    for (const [name, { bound, offset, size }] of this.slices) {
      if (bound.offset >= 0) all.set(name, grad.slice(bound.offset + offset, bound.offset + offset + size));
    }
    return all;
  }

  /** @param recorder replays it, where the home records */
  zeroGrad(recorder: Recorder = directRecorder): void {
    const { grad } = this.trainableBuffers();
    recorder.run("zero the gradient", [], {}, () => {
      this.home.kernels.fill(grad, 0);
      return [];
    });
  }

  /**
   * One AdamW update of everything trainable from the accumulated gradient.
   * → gradSquares [1] = ‖g‖² before clipping; the caller reads (if not finite the kernel wrote nothing) and disposes it.
   * @param recorder replays it, where the home records
   */
  adamw(options: AdamWOptions, recorder: Recorder = directRecorder): Tensor {
    const { theta, grad, m, v } = this.trainableBuffers();
    const { learningRate, updateCount, ...fixed } = options;
    this.#version++;
    const [squares] = recorder.run(`adamw ${JSON.stringify(fixed, (_name, value: unknown) => (value === Infinity ? "off" : value))}`, [], { learningRate, updateCount }, () => {
      const gradSquares = this.home.kernels.sumSquares(grad);
      this.home.kernels.adamw(theta, grad, m, v, gradSquares, options);
      return [gradSquares];
    });
    if (squares === undefined) throw new Error("ParameterSet.adamw: the recorded update returned no sum of squares.");
    return squares;
  }

  /**
   * Bit-exact copies of weights and moments, in one round trip. The padding that a home puts between views is left out, so
   * that a state taken on one home (a lost WebGPU device) can be put back on another.
   */
  async state(): Promise<ParameterState> {
    const { theta, m, v } = this.trainableBuffers();
    const [a, b, c] = await this.home.read([theta, m, v]);
    return { theta: this.withoutPadding(a), m: this.withoutPadding(b), v: this.withoutPadding(c) };
  }

  /** Put a `state()` back, of this home or of another. @throws Error when it was taken of another policy */
  restore(state: ParameterState): void {
    const { theta, m, v } = this.trainableBuffers();
    for (const [what, into, values] of [["theta", theta, state.theta], ["m", m, state.m], ["v", v, state.v]] as const) {
      if (values.length !== this.trainableCount) {
        throw new Error(`ParameterSet.restore: ${what} has ${values.length} values, this policy has ${this.trainableCount} trainable ones; the snapshot is of another policy or set of trainable parameters.`);
      }
      this.writePadded(into, values);
    }
    this.#version++;
  }

  /** The trainable weights alone, or their accumulated gradient, laid out as in `state()`. One read-back. */
  async readFlat(which: "theta" | "grad"): Promise<Float32Array> {
    const [values] = await this.home.read([this.trainableBuffers()[which]]);
    return this.withoutPadding(values);
  }

  /** Put weights or a gradient back that `readFlat` gave, here or of a replica. @throws Error when it is of another policy */
  writeFlat(which: "theta" | "grad", values: Float32Array): void {
    if (values.length !== this.trainableCount) {
      throw new Error(`ParameterSet.writeFlat: ${which} has ${values.length} values, this policy has ${this.trainableCount} trainable ones; it is of another policy or set of trainable parameters.`);
    }
    if (which === "theta") this.#version++;
    this.writePadded(this.trainableBuffers()[which], values);
  }

  dispose(): void {
    for (const { value, grad, weight } of this.bound.values()) {
      value?.dispose();
      grad?.dispose();
      if (value === null && weight !== null) disposeWeight(weight);
    }
    for (const buffer of [this.theta, this.grad, this.m, this.v]) buffer?.dispose();
    this.bound.clear();
    this.slices.clear();
  }

  private bind(group: ParameterGroup, offset: number): void {
    if (this.bound.has(group.key)) throw new Error(`Parameter group ${group.key} is defined twice.`);
    const shape = groupShape(group);
    const { home, theta, grad } = this;
    const [out = 0, columns] = shape;
    const packed = offset < 0 && columns !== undefined && group.format !== undefined && group.format !== "f32";
    const value = packed ? null : theta !== null && offset >= 0 ? home.view(theta, offset, shape) : home.zeros(shape);
    const bound: Bound = {
      group, shape, size: sizeOf(shape), offset, value,
      grad: grad !== null && offset >= 0 ? home.view(grad, offset, shape) : null,
      weight: columns === undefined ? null : value !== null ? { format: "f32", out, in: columns, values: value } : emptyWeight(home, out, columns, group.format ?? "f32"),
      missing: new Set(packed ? group.parts.map((part) => part.name) : []),
    };
    this.bound.set(group.key, bound);
    let start = 0;
    for (const part of group.parts) {
      if (this.slices.has(part.name)) throw new Error(`Parameter ${part.name} is defined twice.`);
      const size = sizeOf(part.shape);
      this.slices.set(part.name, { bound, part, offset: start, size });
      start += size;
    }
  }

  private changed(bound: Bound): void {
    this.#version++;
    if (bound.offset < 0) this.#frozenVersion++;
  }

  private writePacked(bound: Bound, name: string, values: Float32Array, firstRow: number): void {
    const { offset, size } = this.slice(name);
    const { weight } = bound;
    if (weight === null) throw new Error(`Parameter ${name} is no packed matrix.`);
    writeRows(this.home, weight, offset / weight.in + firstRow, values);
    if (firstRow * weight.in + values.length === size) bound.missing.delete(name);
  }

  private writePadded(into: Tensor, values: Float32Array): void {
    if (into.size === values.length) return this.home.write(into, values, 0);
    const padded = new Float32Array(into.size);
    let start = 0;
    for (const { offset, size } of this.trainableBounds()) {
      padded.set(values.subarray(start, start + size), offset);
      start += size;
    }
    this.home.write(into, padded, 0);
  }

  private withoutPadding(flat: ArrayLike<number> | undefined): Float32Array {
    const values = flat instanceof Float32Array ? flat : Float32Array.from(flat ?? []);
    if (values.length === this.trainableCount && values.byteLength === values.buffer.byteLength) return values;
    const compact = new Float32Array(this.trainableCount);
    let start = 0;
    for (const { offset, size } of this.trainableBounds()) {
      compact.set(values.subarray(offset, offset + size), start);
      start += size;
    }
    return compact;
  }

  /** In the order of the flat buffers. */
  private trainableBounds(): Bound[] {
    return [...this.bound.values()].filter(({ offset }) => offset >= 0);
  }

  private async readFloats(tensor: Tensor): Promise<Float32Array> {
    const [values] = await this.home.read([tensor]);
    if (!(values instanceof Float32Array)) throw new Error("ParameterSet: expected float32 values from the home.");
    return values;
  }

  private trainableBuffers(): { theta: Tensor; grad: Tensor; m: Tensor; v: Tensor } {
    const { theta, grad, m, v } = this;
    if (theta === null || grad === null || m === null || v === null) {
      throw new Error("This policy has no trainable parameters: load it with trainable \"all\" or \"language\", or with a LoRA adapter.");
    }
    return { theta, grad, m, v };
  }

  private group(key: string): Bound {
    const bound = this.bound.get(key);
    if (bound === undefined) throw new Error(`No parameter group named ${key}.`);
    return bound;
  }

  private slice(name: string): Slice {
    const slice = this.slices.get(name);
    if (slice === undefined) throw new Error(`No parameter named ${name}.`);
    return slice;
  }
}
