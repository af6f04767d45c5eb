/** Rotary position embedding in place. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { KernelDispatcher } from "../dispatch";
import { read, write } from "../kernelSpec";
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

export class RopeKernels {
  constructor(private readonly dispatcher: KernelDispatcher) {}

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
    this.dispatcher.run(
      kernel,
      [intoX, cos, sin],
      [rows, width, heads, half, inverse ? -1 : 1],
      Math.ceil((rows * heads * half) / threads),
    );
  }
}
