/**
 * RMSNorm and its gradient, a workgroup per row. With r = 1/sqrt(mean(x²) + eps) and g = dy · weight:
 * dx = r·g − x·r³·mean(x·g); dWeight = Σ_rows dy · x · r (column sums, fixed order).
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { KernelDispatcher } from "../dispatch";
import { type Operand, read, write } from "../kernelSpec";
import { expectShape, matrix } from "../shapes";
import type { TensorAllocator } from "../storage";
import { addColumnSums } from "./columnSums";
import { type RowWorkgroup, rowWorkgroup } from "./rowReduce";

const norm = ({ sum }: RowWorkgroup): string => `
${sum}
fn kernel(row: u32, lane: u32) {
  let start = row * params.width;
  var squares = 0.0;
  for (var d = lane; d < params.width; d += THREADS) { let v = x[start + d]; squares += v * v; }
  let scale = inverseSqrt(rowSum(squares, lane) / f32(params.width) + params.eps);
  for (var d = lane; d < params.width; d += THREADS) { y[start + d] = x[start + d] * scale * weight[d]; }
}`;

const normGrad = ({ sum }: RowWorkgroup, residual: boolean): string => `
${sum}
fn kernel(row: u32, lane: u32) {
  let start = row * params.width;
  var squares = 0.0;
  var product = 0.0;
  for (var d = lane; d < params.width; d += THREADS) {
    let v = x[start + d];
    squares += v * v;
    product += v * dy[start + d] * weight[d];
  }
  let width = f32(params.width);
  let scale = inverseSqrt(rowSum(squares, lane) / width + params.eps);
  let pull = rowSum(product, lane) / width * scale * scale * scale;
  for (var d = lane; d < params.width; d += THREADS) {
    let at = start + d;
    dx[at] = dy[at] * weight[d] * scale - x[at] * pull${residual ? " + residual[at]" : ""};
  }
  if (lane == 0u) { rowScale[row] = scale; }
}`;

export class RmsNormKernels {
  private readonly row: RowWorkgroup;

  constructor(
    private readonly dispatcher: KernelDispatcher,
    private readonly storage: TensorAllocator,
  ) {
    this.row = rowWorkgroup(dispatcher.traits);
  }

  rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
    const [rows, width] = matrix("rmsNorm", "x", x);
    expectShape("rmsNorm", "weight", weight, [width]);
    const y = this.storage.allocate([rows, width], "float32");
    const kernel = this.dispatcher.kernel("rmsNorm", () => ({
      buffers: [read("x"), read("weight"), write("y")],
      params: { width: "u32", eps: "f32" },
      threads: this.row.threads,
      oneSubgroup: this.row.oneSubgroup,
      code: norm(this.row),
    }));
    this.dispatcher.run(kernel, [x, weight, y], [width, eps], rows);
    return y;
  }

  rmsNormGrad(
    x: Tensor,
    weight: Tensor,
    dy: Tensor,
    eps: number,
    residual: Tensor | null,
    intoWeight: Tensor | null,
  ): Tensor {
    const [rows, width] = matrix("rmsNormGrad", "x", x);
    expectShape("rmsNormGrad", "weight", weight, [width]);
    expectShape("rmsNormGrad", "dy", dy, [rows, width]);
    if (residual) expectShape("rmsNormGrad", "residual", residual, [rows, width]);
    if (intoWeight) expectShape("rmsNormGrad", "intoWeight", intoWeight, [width]);
    const dx = this.storage.allocate([rows, width], "float32");
    const rowScale = this.storage.allocate([rows], "float32");
    const kernel = this.dispatcher.kernel(`rmsNormGrad${residual ? " residual" : ""}`, () => ({
      buffers: [
        read("x"),
        read("weight"),
        read("dy"),
        ...(residual ? [read("residual")] : []),
        write("dx"),
        write("rowScale"),
      ],
      params: { width: "u32", eps: "f32" },
      threads: this.row.threads,
      oneSubgroup: this.row.oneSubgroup,
      code: normGrad(this.row, residual !== null),
    }));
    const operands: Operand[] = [x, weight, dy, ...(residual ? [residual] : []), dx, rowScale];
    this.dispatcher.run(kernel, operands, [width, eps], rows);
    if (intoWeight) {
      addColumnSums(this.dispatcher, this.storage, {
        values: dy,
        rows,
        columns: width,
        into: intoWeight,
        scaled: { factors: x, rowScale },
      });
    }
    rowScale.dispose();
    return dx;
  }
}
