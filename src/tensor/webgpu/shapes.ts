/** Shape checks of kernel arguments: a mismatch names the kernel, the argument and both shapes. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weight } from "../kernels";

/** Rows and columns of a matrix argument. */
export function matrix(kernel: string, argument: string, tensor: Tensor): [rows: number, columns: number] {
  const [rows, columns] = tensor.shape;
  if (tensor.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new Error(`${kernel}: ${argument} must be a matrix, got [${tensor.shape.join(", ")}].`);
  }
  return [rows, columns];
}

/** @throws Error unless the tensor has exactly this shape; −1 matches any extent */
export function expectShape(kernel: string, argument: string, tensor: Tensor, shape: readonly number[]): void {
  const right =
    tensor.shape.length === shape.length && shape.every((extent, i) => extent === -1 || tensor.shape[i] === extent);
  if (!right) {
    const wanted = shape.map((extent) => (extent === -1 ? "any" : extent)).join(", ");
    throw new Error(`${kernel}: ${argument} must have shape [${wanted}], got [${tensor.shape.join(", ")}].`);
  }
}

/** @throws Error unless the tensor has this many elements, in any shape */
export function expectSize(kernel: string, argument: string, tensor: Tensor, size: number): void {
  if (tensor.size !== size) {
    throw new Error(`${kernel}: ${argument} must have ${size} elements, got [${tensor.shape.join(", ")}].`);
  }
}

/** @throws Error unless a weight's tensors fit its logical shape and format */
export function expectWeight(kernel: string, argument: string, weight: Weight): void {
  if (weight.format === "f32") {
    expectSize(kernel, argument, weight.values, weight.out * weight.in);
    return;
  }
  const perWord = weight.format === "f16" ? 2 : 8;
  const unit = weight.format === "f16" ? 2 : 32;
  if (weight.in % unit !== 0) {
    throw new Error(
      `${kernel}: ${argument} in ${weight.format} needs a multiple of ${unit} columns, got [${weight.out}, ` +
        `${weight.in}].`,
    );
  }
  expectSize(kernel, argument, weight.packed, (weight.out * weight.in) / perWord);
  if (weight.format === "int4")
    expectSize(kernel, `${argument} scales`, weight.scales, weight.out * Math.ceil(weight.in / 64));
}
