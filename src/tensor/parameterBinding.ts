/**
 * The tensors of a parameter group: views into the flat buffers when it is trained, tensors of their own when it is
 * frozen, packed if its format says so.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "./backend";
import type { FlatBuffers } from "./flatBuffers";
import type { Weight } from "./kernels";
import { emptyWeight } from "./packedWeight";
import { groupShape, type ParameterGroup, type ParameterPart, sizeOf } from "./parameterGroups";

/** A group with its tensors on the device. */
export interface Bound {
  readonly group: ParameterGroup;
  readonly shape: readonly number[];
  readonly size: number;
  /** Elements from the start of theta, or −1 when frozen. */
  readonly offset: number;
  readonly value: Tensor | null;
  readonly grad: Tensor | null;
  readonly weight: Weight | null;
  /** Parts of a packed group whose last row has not been written yet; zeros are not valid weights. */
  readonly missing: Set<string>;
}

/** A named tensor within its group, in elements. */
export interface Slice {
  readonly bound: Bound;
  readonly part: ParameterPart;
  readonly offset: number;
  readonly size: number;
}

/** @param offset of the group in the flat buffers; negative: frozen */
export function boundGroup(backend: Backend, flat: FlatBuffers | null, group: ParameterGroup, offset: number): Bound {
  const shape = groupShape(group);
  const [out = 0, columns] = shape;
  const packed = offset < 0 && columns !== undefined && group.format !== undefined && group.format !== "f32";
  const trained = offset >= 0 ? flat : null;
  const value = packed ? null : trained !== null ? backend.view(trained.theta, offset, shape) : backend.zeros(shape);
  return {
    group,
    shape,
    size: sizeOf(shape),
    offset,
    value,
    grad: trained === null ? null : backend.view(trained.grad, offset, shape),
    weight:
      columns === undefined
        ? null
        : value !== null
          ? { format: "f32", out, in: columns, values: value }
          : emptyWeight(backend, out, columns, group.format ?? "f32"),
    missing: new Set(packed ? group.parts.map((part) => part.name) : []),
  };
}
