/** Writes to the KV cache: row copies, and the decode step's rotation and copy in one. */
import type { Tensor } from "@tensorflow/tfjs-core";
import { holdsHalves } from "../../cacheF16";
import type { AttentionShape, Columns, DynamicOptions } from "../../kernels";
import { type Dispatcher, read, write } from "../dispatch";
import { expectShape, matrix } from "../shapes";

const COPY_ROWS = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let row = item / params.count;
  if (row >= params.rows) { return; }
  let goal = rows[row];
  if (goal < 0) { return; }
  let column = item % params.count;
  into[(u32(goal) + params.cacheOffset) * params.count + column] = x[row * params.width + params.offset + column];
}`;

/**
 * One item turns (queries, keys) or copies (values) a pair of columns, and stores it in the cache unless it is a
 * query's.
 */
const ROPE_TO_CACHE = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let perRow = (params.heads + 2u * params.kvHeads) * params.half;
  let row = item / perRow;
  if (row >= params.rows) { return; }
  let head = (item % perRow) / params.half;
  let i = item % params.half;
  let column = head * 2u * params.half + i;
  let first = row * 2u * perRow + column;
  let second = first + params.half;
  var a = qkv[first];
  var b = qkv[second];
  if (head < params.heads + params.kvHeads) {
    let angle = (params.angleRow + row) * params.half + i;
    let c = cosines[angle];
    let s = sines[angle];
    let turned = a * c - b * s;
    b = b * c + a * s;
    a = turned;
    qkv[first] = a;
    qkv[second] = b;
  }
  let goal = rows[row];
  if (head < params.heads || goal < 0) { return; }
  let at = (u32(goal) + params.cacheOffset) * 4u * params.kvHeads * params.half + column - params.heads * 2u *
    params.half;
  into[at] = a;
  into[at + params.half] = b;
}`;

/**
 * The same where the cache holds halves: an item has two neighbouring pairs, and writes a word for each half of the
 * head.
 */
const ROPE_TO_HALVES = `
fn asHalf(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let magnitude = min(bits & 0x7fffffffu, 0x477fe000u);
  // Below 2^-14 halves are multiples of 2^-24: adding 1/2 rounds to them.
  let small = bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000u;
  let large = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u;
  let rounded = select(large, small, magnitude < 0x38800000u);
  return ((bits >> 16u) & 0x8000u) | select(rounded, 0x7e00u, (bits & 0x7fffffffu) > 0x7f800000u);
}
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let quarter = params.half / 2u;
  let perRow = (params.heads + 2u * params.kvHeads) * quarter;
  let row = item / perRow;
  if (row >= params.rows) { return; }
  let head = (item % perRow) / quarter;
  let i = 2u * (item % quarter);
  let column = head * 2u * params.half + i;
  let first = row * 4u * perRow + column;
  let second = first + params.half;
  var a = vec2f(qkv[first], qkv[first + 1u]);
  var b = vec2f(qkv[second], qkv[second + 1u]);
  if (head < params.heads + params.kvHeads) {
    let angle = (params.angleRow + row) * params.half + i;
    let c = vec2f(cosines[angle], cosines[angle + 1u]);
    let s = vec2f(sines[angle], sines[angle + 1u]);
    let turned = a * c - b * s;
    b = b * c + a * s;
    a = turned;
    qkv[first] = a.x;
    qkv[first + 1u] = a.y;
    qkv[second] = b.x;
    qkv[second + 1u] = b.y;
  }
  let goal = rows[row];
  if (head < params.heads || goal < 0) { return; }
  let at = (u32(goal) + params.cacheOffset) * 2u * params.kvHeads * params.half + (column - params.heads * 2u *
    params.half) / 2u;
  into[at] = asHalf(a.x) | (asHalf(a.y) << 16u);
  into[at + quarter] = asHalf(b.x) | (asHalf(b.y) << 16u);
}`;

export class KvCacheKernels {
  constructor(private readonly dispatcher: Dispatcher) {}

  copyRows(x: Tensor, columns: Columns, rows: Tensor, cacheOffset: number, into: Tensor): void {
    const [count, width] = matrix("copyRows", "x", x);
    expectShape("copyRows", "rows", rows, [count]);
    expectShape("copyRows", "into", into, [-1, columns.count]);
    if (columns.offset + columns.count > width) {
      throw new Error(
        `copyRows: columns ${columns.offset} to ${columns.offset + columns.count} lie outside x [${count}, ${width}].`,
      );
    }
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel("copyRows", () => ({
      buffers: [read("x"), read("rows", "i32"), write("into")],
      params: { rows: "u32", width: "u32", offset: "u32", count: "u32", cacheOffset: "u32" },
      threads,
      code: COPY_ROWS,
    }));
    const params = (dynamicOptions: DynamicOptions): number[] => [
      count,
      width,
      columns.offset,
      columns.count,
      dynamicOptions.cacheOffset ?? cacheOffset,
    ];
    this.dispatcher.run(kernel, [x, rows, into], params, Math.ceil((count * columns.count) / threads));
  }

  ropeToCache(
    intoQkv: Tensor,
    cos: Tensor,
    sin: Tensor,
    angleRow: number,
    shape: AttentionShape,
    rows: Tensor,
    cacheOffset: number,
    into: Tensor,
  ): void {
    const { heads, kvHeads, headDim } = shape;
    const [count] = matrix("ropeToCache", "intoQkv", intoQkv);
    expectShape("ropeToCache", "intoQkv", intoQkv, [count, (heads + 2 * kvHeads) * headDim]);
    if (
      shape.qOffset !== 0 ||
      shape.kOffset !== heads * headDim ||
      shape.vOffset !== (heads + kvHeads) * headDim ||
      headDim % 2 !== 0
    ) {
      throw new Error(`ropeToCache: qkv must be laid out q|k|v with an even headDim, got ${JSON.stringify(shape)}.`);
    }
    const half = headDim / 2;
    expectShape("ropeToCache", "cos", cos, [-1, half]);
    expectShape("ropeToCache", "sin", sin, cos.shape);
    if (angleRow < 0 || angleRow + count > (cos.shape[0] ?? 0))
      throw new Error(
        `ropeToCache: rows ${angleRow} to ${angleRow + count} lie outside cos [${cos.shape.join(", ")}].`,
      );
    expectShape("ropeToCache", "rows", rows, [count]);
    const halves = holdsHalves(into);
    expectShape("ropeToCache", "into", into, [-1, (halves ? 1 : 2) * kvHeads * headDim]);
    if (halves && headDim % 4 !== 0)
      throw new Error(`ropeToCache: heads of ${headDim} columns cannot be kept in halves; expected a multiple of 4.`);
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel(`ropeToCache${halves ? " f16" : ""}`, () => ({
      buffers: [
        write("qkv"),
        read("cosines"),
        read("sines"),
        read("rows", "i32"),
        write("into", halves ? "u32" : "f32"),
      ],
      params: { rows: "u32", heads: "u32", kvHeads: "u32", half: "u32", angleRow: "u32", cacheOffset: "u32" },
      threads,
      code: halves ? ROPE_TO_HALVES : ROPE_TO_CACHE,
    }));
    const params = (dynamicOptions: DynamicOptions): number[] => [
      count,
      heads,
      kvHeads,
      half,
      dynamicOptions.angleRow ?? angleRow,
      dynamicOptions.cacheOffset ?? cacheOffset,
    ];
    this.dispatcher.run(
      kernel,
      [intoQkv, cos, sin, rows, into],
      params,
      Math.ceil((count * (heads + 2 * kvHeads) * half) / (halves ? 2 : 1) / threads),
    );
  }
}
