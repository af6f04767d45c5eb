/** Kernels that move or turn rows in place: rotary position embedding and the KV cache's row copy. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Columns } from "../../kernels";
import { read, write, type Dispatcher } from "../dispatch";
import { expectShape, matrix } from "../shapes";

const ROPE = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let perRow = params.heads * params.half;
  let row = item / perRow;
  if (row >= params.rows) { return; }
  let head = (item % perRow) / params.half;
  let i = item % params.half;
  let angle = row * params.half + i;
  let first = row * params.width + head * 2u * params.half + i;
  let second = first + params.half;
  let c = cosines[angle];
  let s = sines[angle] * params.direction;
  let a = x[first];
  let b = x[second];
  x[first] = a * c - b * s;
  x[second] = b * c + a * s;
}`;

const COPY_ROWS = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let row = item / params.count;
  if (row >= params.rows) { return; }
  let goal = rows[row];
  if (goal < 0) { return; }
  let column = item % params.count;
  into[(u32(goal) + params.extend) * params.count + column] = x[row * params.width + params.offset + column];
}`;

export class RowKernels {
  constructor(private readonly dispatcher: Dispatcher) {}

  rope(intoX: Tensor, cos: Tensor, sin: Tensor, heads: number, headDim: number, inverse: boolean): void {
    const [rows, width] = matrix("rope", "x", intoX);
    if (headDim % 2 !== 0 || heads * headDim > width) {
      throw new Error(`rope: ${heads} heads of ${headDim} do not fit into x [${rows}, ${width}] in even halves.`);
    }
    const half = headDim / 2;
    expectShape("rope", "cos", cos, [rows, half]);
    expectShape("rope", "sin", sin, [rows, half]);
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel("rope", () => ({
      buffers: [write("x"), read("cosines"), read("sines")],
      params: { rows: "u32", width: "u32", heads: "u32", half: "u32", direction: "f32" },
      threads,
      code: ROPE,
    }));
    this.dispatcher.run(kernel, [intoX, cos, sin], [rows, width, heads, half, inverse ? -1 : 1], Math.ceil((rows * heads * half) / threads));
  }

  copyRows(x: Tensor, columns: Columns, rows: Tensor, extend: number, into: Tensor): void {
    const [count, width] = matrix("copyRows", "x", x);
    expectShape("copyRows", "rows", rows, [count]);
    expectShape("copyRows", "into", into, [-1, columns.count]);
    if (columns.offset + columns.count > width) {
      throw new Error(`copyRows: columns ${columns.offset} to ${columns.offset + columns.count} lie outside x [${count}, ${width}].`);
    }
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel("copyRows", () => ({
      buffers: [read("x"), read("rows", "i32"), write("into")],
      params: { rows: "u32", width: "u32", offset: "u32", count: "u32", extend: "u32" },
      threads,
      code: COPY_ROWS,
    }));
    this.dispatcher.run(kernel, [x, rows, into], [count, width, columns.offset, columns.count, extend], Math.ceil((count * columns.count) / threads));
  }
}
