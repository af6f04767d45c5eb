/** Shape checks shared by the reference kernels: a mismatch names the kernel, the argument and both shapes. */
import type { Tensor } from "@tensorflow/tfjs-core";

/** A dimension that may have any size is given as null. */
export type ExpectedShape = readonly (number | null)[];

/** @throws Error when `tensor` has another rank or a fixed dimension differs. */
export function expectShape(kernel: string, argument: string, tensor: Tensor | null, expected: ExpectedShape): void {
  if (!tensor) return;
  const fits =
    tensor.shape.length === expected.length && expected.every((size, i) => size === null || size === tensor.shape[i]);
  if (!fits) {
    const want = expected.map((size) => size ?? "any").join(", ");
    throw new Error(`${kernel}: ${argument} has shape [${tensor.shape.join(", ")}], expected [${want}].`);
  }
}

/** Size of one dimension, checked to exist. */
export function sizeOf(tensor: Tensor, axis: number): number {
  const size = tensor.shape[axis];
  if (size === undefined) throw new Error(`A tensor of shape [${tensor.shape.join(", ")}] has no axis ${axis}.`);
  return size;
}
