/**
 * LoRA's up-projection onto a block of columns, in place, and its gradient (Hu et al. 2021; scale = alpha / r).
 * The rank r is small, so one invocation makes one output.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Columns } from "../../kernels";
import { type Dispatcher, read, write } from "../dispatch";
import { expectShape, matrix } from "../shapes";
import type { Storage } from "../storage";

const PARAMS = { rows: "u32", width: "u32", offset: "u32", count: "u32", rank: "u32", scale: "f32" } as const;

/** y[n, offset + c] += scale · Σ_r h[n, r] b[c, r] */
const APPLY = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let row = item / params.count;
  if (row >= params.rows) { return; }
  let column = item % params.count;
  var sum = 0.0;
  for (var r = 0u; r < params.rank; r++) { sum += h[row * params.rank + r] * b[column * params.rank + r]; }
  y[row * params.width + params.offset + column] += params.scale * sum;
}`;

/** dh[n, r] = scale · Σ_c dy[n, offset + c] b[c, r] */
const GRAD_H = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let row = item / params.rank;
  if (row >= params.rows) { return; }
  let r = item % params.rank;
  var sum = 0.0;
  for (var c = 0u; c < params.count; c++) {
    sum += dy[row * params.width + params.offset + c] * b[c * params.rank + r];
  }
  dh[item] = params.scale * sum;
}`;

/** dB[c, r] += scale · Σ_n dy[n, offset + c] h[n, r] */
const GRAD_B = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let column = item / params.rank;
  if (column >= params.count) { return; }
  let r = item % params.rank;
  var sum = 0.0;
  for (var n = 0u; n < params.rows; n++) {
    sum += dy[n * params.width + params.offset + column] * h[n * params.rank + r];
  }
  db[item] += params.scale * sum;
}`;

export class LoraKernels {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly storage: Storage,
  ) {}

  loraApply(intoY: Tensor, columns: Columns, h: Tensor, b: Tensor, scale: number): void {
    const { rows, width, rank } = this.check("loraApply", intoY, columns, h, b);
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel("loraApply", () => ({
      buffers: [read("h"), read("b"), write("y")],
      params: PARAMS,
      threads,
      code: APPLY,
    }));
    const { offset, count } = columns;
    this.dispatcher.run(
      kernel,
      [h, b, intoY],
      [rows, width, offset, count, rank, scale],
      Math.ceil((rows * count) / threads),
      2 * rows * count * rank,
    );
  }

  loraApplyGrad(dy: Tensor, columns: Columns, h: Tensor, b: Tensor, scale: number, intoB: Tensor | null): Tensor {
    const { rows, width, rank } = this.check("loraApplyGrad", dy, columns, h, b);
    const threads = this.dispatcher.traits.elementThreads;
    const { offset, count } = columns;
    const params = [rows, width, offset, count, rank, scale];
    const work = 2 * rows * count * rank;
    const dh = this.storage.allocate([rows, rank], "float32");
    const gradH = this.dispatcher.kernel("loraApplyGrad h", () => ({
      buffers: [read("dy"), read("b"), write("dh")],
      params: PARAMS,
      threads,
      code: GRAD_H,
    }));
    this.dispatcher.run(gradH, [dy, b, dh], params, Math.ceil((rows * rank) / threads), work);
    if (intoB) {
      expectShape("loraApplyGrad", "intoB", intoB, [count, rank]);
      const gradB = this.dispatcher.kernel("loraApplyGrad B", () => ({
        buffers: [read("dy"), read("h"), write("db")],
        params: PARAMS,
        threads,
        code: GRAD_B,
      }));
      this.dispatcher.run(gradB, [dy, h, intoB], params, Math.ceil((count * rank) / threads), work);
    }
    return dh;
  }

  private check(
    kernel: string,
    y: Tensor,
    columns: Columns,
    h: Tensor,
    b: Tensor,
  ): { rows: number; width: number; rank: number } {
    const [rows, width] = matrix(kernel, "y", y);
    const [, rank] = matrix(kernel, "h", h);
    expectShape(kernel, "h", h, [rows, rank]);
    expectShape(kernel, "b", b, [columns.count, rank]);
    if (columns.offset + columns.count > width) {
      throw new Error(
        `${kernel}: columns ${columns.offset} to ${columns.offset + columns.count} lie outside [${rows}, ${width}].`,
      );
    }
    return { rows, width, rank };
  }
}
