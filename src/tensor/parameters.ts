/**
 * The parameters of a policy. Everything trainable lies in ONE flat float32 buffer theta, with its gradient and
 * AdamW's two moments beside it in buffers of the same layout: an optimiser step is one pass, micro-batches accumulate
 * in place, and a snapshot is three arrays. Frozen parameters are tensors of their own, without gradient or moments,
 * and may be packed (f16, int4).
 *
 * A *group* is what a kernel binds: one matrix or vector. Its parts are the tensors as they are named on disk,
 * stacked by rows (q|k|v, gate|up), so that fused projections and Hugging Face names coexist without copies.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend, Recorder } from "./backend";
import { type AdamWResult, FlatBuffers, type ParameterState } from "./flatBuffers";
import type { AdamWOptions } from "./kernels";
import { disposeWeight, largestValue, unpackWeight, writeRows } from "./packedWeight";
import { type Bound, boundGroup, type Slice } from "./parameterBinding";
import {
  flatLayout,
  groupShape,
  type MatrixParameter,
  type ParameterGroup,
  sizeOf,
  type VectorParameter,
} from "./parameterGroups";

export type { AdamWResult, ParameterState } from "./flatBuffers";
export type { MatrixParameter, ParameterGroup, ParameterPart, VectorParameter } from "./parameterGroups";

export class ParameterSet {
  /** Number of trainable values. */
  readonly trainableCount: number;
  /** Number of values, trainable or not. */
  readonly count: number;
  /** Incremented whenever a value changes, so that copies elsewhere can tell when they are stale. */
  #version = 0;
  #frozenVersion = 0;
  private readonly bound = new Map<string, Bound>();
  private readonly slices = new Map<string, Slice>();
  /** Null when nothing is trainable. */
  private readonly flat: FlatBuffers | null;

  /** Allocates every group, filled with zeros. A packed group can be used only after all its parts are written. */
  constructor(
    readonly backend: Backend,
    groups: readonly ParameterGroup[],
  ) {
    const sizes = groups.map((group) => sizeOf(groupShape(group)));
    const { offsets, length } = flatLayout(groups, backend.viewAlignment);
    const ranges = offsets.flatMap((offset, i) => (offset < 0 ? [] : [{ offset, size: sizes[i] ?? 0 }]));
    this.flat = length > 0 ? new FlatBuffers(backend, ranges, length) : null;
    this.count = sizes.reduce((sum, size) => sum + size, 0);
    this.trainableCount = this.flat?.count ?? 0;
    groups.forEach((group, i) => this.bind(group, offsets[i] ?? -1));
  }

  get version(): number {
    return this.#version;
  }

  /** Incremented whenever a frozen value changes. */
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
    if (bound.weight === null) throw new Error(`Parameter group ${key} is not a matrix.`);
    if (bound.missing.size > 0)
      throw new Error(`Parameter group ${key} is not loaded yet: ${[...bound.missing].join(", ")} missing.`);
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

  /** The largest magnitude that a named tensor's storage holds. */
  largestValue(name: string): number {
    return largestValue(this.slice(name).bound.weight?.format ?? "f32");
  }

  /** Set one named tensor from host values. @throws Error when the number of values differs from its shape. */
  write(name: string, values: Float32Array): void {
    const { bound, offset, size } = this.slice(name);
    if (values.length !== size) {
      throw new Error(
        `Parameter ${name} has shape [${this.shapeOf(name).join(", ")}] = ${size} values, got ${values.length}.`,
      );
    }
    this.changed(bound);
    if (bound.value !== null) this.backend.write(bound.value, values, offset);
    else this.writePacked(bound, name, values, 0);
  }

  /**
   * Set rows of one named tensor from row `firstRow` of its first dimension on, so that a tensor larger than host
   * memory can be loaded in pieces. Pieces of a packed tensor come in order: it counts as loaded with its last row.
   * @throws Error when the values are not whole rows, or too many
   */
  writeRows(name: string, firstRow: number, values: Float32Array): void {
    const { bound, part, offset, size } = this.slice(name);
    const columns = sizeOf(part.shape.slice(1));
    if (values.length % columns !== 0 || firstRow < 0 || firstRow * columns + values.length > size) {
      throw new Error(
        `Parameter ${name} has shape [${part.shape.join(", ")}]; ${values.length} values from row ${firstRow} on ` +
          "are not whole rows of it.",
      );
    }
    this.changed(bound);
    if (bound.value !== null) this.backend.write(bound.value, values, offset + firstRow * columns);
    else this.writePacked(bound, name, values, firstRow);
  }

  /** Copy one named tensor to the host. */
  async read(name: string): Promise<Float32Array> {
    const { bound, offset, size } = this.slice(name);
    if (bound.value === null)
      return (await unpackWeight(this.backend, this.matrix(bound.group.key).weight)).slice(offset, offset + size);
    return (await this.readFloats(bound.value)).slice(offset, offset + size);
  }

  /**
   * Copy every named tensor to the host in one round trip. Packed (frozen) matrices come back as their packed values.
   */
  async readAll(): Promise<Map<string, Float32Array>> {
    const plain = [...this.bound.values()].filter((b) => b.value !== null && b.offset < 0);
    const tensors = plain.flatMap((b) => (b.value === null ? [] : [b.value]));
    const read = await this.backend.read(this.flat === null ? tensors : [...tensors, this.flat.theta]);
    const theta = read[tensors.length];
    const values = new Map<Bound, Float32Array>(plain.map((b, i) => [b, Float32Array.from(read[i] ?? [])]));
    const all = new Map<string, Float32Array>();
    for (const [name, { bound, offset, size }] of this.slices) {
      if (bound.value === null) all.set(name, await this.read(name));
      else if (bound.offset < 0) all.set(name, (values.get(bound) ?? new Float32Array(0)).slice(offset, offset + size));
      else
        all.set(
          name,
          Float32Array.from(
            (theta ?? new Float32Array(0)).subarray(bound.offset + offset, bound.offset + offset + size),
          ),
        );
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
    const grad = await this.readFloats(this.trained().grad);
    const all = new Map<string, Float32Array>();
    for (const [name, { bound, offset, size }] of this.slices) {
      if (bound.offset >= 0) all.set(name, grad.slice(bound.offset + offset, bound.offset + offset + size));
    }
    return all;
  }

  /** @param recorder replays the work, where the backend records */
  zeroGrad(recorder?: Recorder): void {
    this.trained().zeroGrad(recorder);
  }

  /**
   * One AdamW update of everything trainable from the accumulated gradient; all or nothing.
   * @param recorder replays the work, where the backend records
   */
  adamw(options: AdamWOptions, recorder?: Recorder): AdamWResult {
    this.#version++;
    return this.trained().adamw(options, recorder);
  }

  /** Bit-exact copies of weights and moments, in one round trip. */
  async state(): Promise<ParameterState> {
    return this.trained().state();
  }

  /** Restore a `state()` taken on this backend or another. @throws Error when it belongs to another policy */
  restore(state: ParameterState): void {
    this.trained().restore(state);
    this.#version++;
  }

  /** The trainable weights alone, or their accumulated gradient, laid out as in `state()`. One read-back. */
  async readFlat(which: "theta" | "grad"): Promise<Float32Array> {
    return this.trained().read(which);
  }

  /**
   * Restore weights or a gradient that `readFlat` returned, here or on a replica.
   * @throws Error when it belongs to another policy
   */
  writeFlat(which: "theta" | "grad", values: Float32Array): void {
    this.trained().write(which, values);
    if (which === "theta") this.#version++;
  }

  dispose(): void {
    for (const { value, grad, weight } of this.bound.values()) {
      value?.dispose();
      grad?.dispose();
      if (value === null && weight !== null) disposeWeight(weight);
    }
    this.flat?.dispose();
    this.bound.clear();
    this.slices.clear();
  }

  private bind(group: ParameterGroup, offset: number): void {
    if (this.bound.has(group.key)) throw new Error(`Parameter group ${group.key} is defined twice.`);
    const bound = boundGroup(this.backend, this.flat, group, offset);
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
    if (weight === null) throw new Error(`Parameter ${name} is not a packed matrix.`);
    writeRows(this.backend, weight, offset / weight.in + firstRow, values);
    if (firstRow * weight.in + values.length === size) bound.missing.delete(name);
  }

  private async readFloats(tensor: Tensor): Promise<Float32Array> {
    const [values] = await this.backend.read([tensor]);
    if (!(values instanceof Float32Array)) throw new Error("ParameterSet: expected float32 values from the backend.");
    return values;
  }

  private trained(): FlatBuffers {
    if (this.flat === null)
      throw new Error(
        'This policy has no trainable parameters: load it with trainable "all" or "language", or with a LoRA adapter.',
      );
    return this.flat;
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
