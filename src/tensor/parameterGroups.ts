/**
 * What parameters consist of: parts as named on disk, groups as bound by kernels, and the position of the trainable
 * groups in the flat buffers.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weight } from "./kernels";
import type { WeightFormat } from "./packedWeight";

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

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/**
 * Rows × columns of a group: parts stacked by rows, every further dimension flattened into the columns; vectors stay
 * vectors.
 */
export function groupShape(group: ParameterGroup): readonly number[] {
  const columns = group.parts.map((part) => sizeOf(part.shape.slice(1)));
  if (columns.some((c) => c !== columns[0])) {
    throw new Error(`Parameter group ${group.key}: its parts have different row lengths (${columns.join(", ")}).`);
  }
  const rows = group.parts.reduce((sum, part) => sum + (part.shape[0] ?? 1), 0);
  return group.parts[0]?.shape.length === 1 ? [rows] : [rows, columns[0] ?? 1];
}

export interface FlatLayout {
  /** Elements from the start of the buffers, for each group; −1 for a frozen one. */
  readonly offsets: readonly number[];
  /** Elements of a buffer, padding included. */
  readonly length: number;
}

/** Trainable groups one after the other, each at a multiple of `alignment` elements, so that it can be a view. */
export function flatLayout(groups: readonly ParameterGroup[], alignment: number): FlatLayout {
  let length = 0;
  const offsets = groups.map((group) => {
    if (!group.trainable) return -1;
    const offset = length;
    length = Math.ceil((offset + sizeOf(groupShape(group))) / alignment) * alignment;
    return offset;
  });
  return { offsets, length };
}
