/** Checks of kernel arguments: shapes, element types and weight formats, with messages that name all three. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Columns, Weight } from "../kernels";

/** Throws unless `tensor` has the expected shape; −1 allows any extent. */
export function expectShape(
  kernel: string,
  argument: string,
  tensor: Tensor,
  expected: readonly number[],
  dtype: "float32" | "int32" = "float32",
): void {
  const { shape } = tensor;
  let fits = shape.length === expected.length && tensor.dtype === dtype;
  for (let i = 0; fits && i < expected.length; i++) fits = expected[i] === -1 || expected[i] === shape[i];
  if (!fits) {
    const wanted = expected.map((extent) => (extent === -1 ? "any" : extent)).join(", ");
    throw new Error(`${kernel}: ${argument} is ${tensor.dtype} [${shape.join(", ")}], expected ${dtype} [${wanted}]`);
  }
}

/** Rows and columns of a float matrix. */
export function matrixOf(kernel: string, argument: string, tensor: Tensor): [number, number] {
  expectShape(kernel, argument, tensor, [-1, -1]);
  return [tensor.shape[0] ?? 0, tensor.shape[1] ?? 0];
}

export function expectWeight(kernel: string, argument: string, weight: Weight, columns: number): void {
  const { out } = weight;
  if (weight.in !== columns)
    throw new Error(`${kernel}: ${argument} is [${out}, ${weight.in}], expected [any, ${columns}]`);
  switch (weight.format) {
    case "f32":
      return expectShape(kernel, argument, weight.values, [out, columns]);
    case "f16":
      if (columns % 2)
        throw new Error(`${kernel}: ${argument} packed as f16 needs an even number of columns, has ${columns}`);
      return expectShape(kernel, argument, weight.packed, [out, columns / 2], "int32");
    case "int4":
      if (columns % 32)
        throw new Error(`${kernel}: ${argument} packed as int4 needs a multiple of 32 columns, has ${columns}`);
      expectShape(kernel, argument, weight.packed, [out, columns / 8], "int32");
      return expectShape(kernel, `${argument} scales`, weight.scales, [out, Math.ceil(columns / 64)], "int32");
  }
}

export function expectColumns(kernel: string, columns: Columns, width: number): void {
  if (columns.offset < 0 || columns.count < 0 || columns.offset + columns.count > width) {
    throw new Error(
      `${kernel}: columns [${columns.offset}, ${columns.offset + columns.count}) lie outside a matrix of ` +
        `${width} columns`,
    );
  }
}
