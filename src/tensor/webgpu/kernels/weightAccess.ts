/**
 * WGSL that reads four neighbouring columns of a weight matrix, whatever its format (layouts: kernels.ts).
 * `unpack2x16float` is core WGSL: packed halves need no shader-f16.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weight } from "../../kernels";
import { weightBytes } from "../../packedWeight";
import { type BufferSpec, type Operand, read } from "../dispatch";

export interface WeightAccess {
  readonly format: Weight["format"];
  /** Goes into the name of a kernel that uses it. */
  readonly key: string;
  readonly buffers: readonly BufferSpec[];
  /**
   * `fn weight4(row: u32, column: u32) -> vec4f`, column a multiple of 4; columns past the end read as 0.
   * Needs `params.weightColumns`.
   */
  readonly code: string;
  /**
   * The same as `fn weight4h(row, column) -> vec4h`, in a device with shader-f16; packed halves are read as what they
   * are.
   */
  readonly half: { readonly buffers: readonly BufferSpec[]; readonly code: string };
}

/** @param aligned whether rows hold a multiple of 4 columns */
export function weightAccess(format: Weight["format"], aligned: boolean): WeightAccess {
  const { buffers, code } = plainAccess(format, aligned);
  const rounded = {
    buffers,
    code: `${code}\nfn weight4h(row: u32, column: u32) -> vec4h { return vec4h(weight4(row, column)); }`,
  };
  const half = format === "f16" && aligned ? { buffers: [read("weight", "vec4h")], code: F16_HALVES } : rounded;
  return { format, key: `${format}${aligned ? "x4" : ""}`, buffers, code, half };
}

function plainAccess(
  format: Weight["format"],
  aligned: boolean,
): { readonly buffers: readonly BufferSpec[]; readonly code: string } {
  switch (format) {
    case "f32":
      return {
        buffers: [read("weight", aligned ? "vec4f" : "f32")],
        code: columns4("weight4", "weight", "params.weightColumns", aligned),
      };
    case "f16":
      return { buffers: [read("weight", "u32")], code: aligned ? F16_ALIGNED : F16_EVEN };
    case "int4":
      return { buffers: [read("weight", "u32"), read("scales", "u32")], code: INT4 };
  }
}

/** WGSL `fn name(row, column) -> vec4f` over a plain f32 matrix. */
export function columns4(name: string, buffer: string, columns: string, aligned: boolean): string {
  if (aligned)
    return `fn ${name}(row: u32, column: u32) -> vec4f { return ${buffer}[(row * ${columns} + column) >> 2u]; }`;
  return `
fn ${name}(row: u32, column: u32) -> vec4f {
  let at = row * ${columns} + column;
  let left = select(0u, ${columns} - column, column < ${columns});
  return vec4f(
    select(0.0, ${buffer}[at], left > 0u),
    select(0.0, ${buffer}[at + 1u], left > 1u),
    select(0.0, ${buffer}[at + 2u], left > 2u),
    select(0.0, ${buffer}[at + 3u], left > 3u));
}`;
}

const F16_HALVES = `
fn weight4h(row: u32, column: u32) -> vec4h { return weight[(row * params.weightColumns + column) >> 2u]; }`;

const F16_ALIGNED = `
fn weight4(row: u32, column: u32) -> vec4f {
  let word = (row * params.weightColumns + column) >> 1u;
  return vec4f(unpack2x16float(weight[word]), unpack2x16float(weight[word + 1u]));
}`;

const F16_EVEN = `
fn weight4(row: u32, column: u32) -> vec4f {
  let word = (row * params.weightColumns + column) >> 1u;
  var high = vec2f(0.0);
  if (column + 2u < params.weightColumns) { high = unpack2x16float(weight[word + 1u]); }
  if (column >= params.weightColumns) { return vec4f(0.0); }
  return vec4f(unpack2x16float(weight[word]), high);
}`;

const INT4 = `
fn weight4(row: u32, column: u32) -> vec4f {
  let word = weight[(row * params.weightColumns + column) >> 3u] >> ((column & 4u) << 2u);
  let block = column >> 5u;
  let pair = unpack2x16float(scales[row * ((params.weightColumns + 63u) >> 6u) + (block >> 1u)]);
  let scale = select(pair.x, pair.y, (block & 1u) == 1u);
  let nibbles = vec4u(word, word >> 4u, word >> 8u, word >> 12u) & vec4u(15u);
  return (vec4f(nibbles) - 8.0) * scale;
}`;

/** Rows [firstRow, firstRow + rows) of a weight as operands of a kernel; firstRow must be a multiple of 64. */
export function weightOperands(weight: Weight, firstRow = 0, rows = weight.out): Operand[] {
  const part = (tensor: Tensor, perRow: number): Operand =>
    firstRow === 0 && rows === weight.out ? tensor : { tensor, offset: firstRow * perRow, size: rows * perRow };
  switch (weight.format) {
    case "f32":
      return [part(weight.values, weight.in)];
    case "f16":
      return [part(weight.packed, weight.in / 2)];
    case "int4":
      return [part(weight.packed, weight.in / 8), part(weight.scales, Math.ceil(weight.in / 64))];
  }
}

/** Rows of a matrix that lie behind one binding. */
export interface RowBlock {
  readonly first: number;
  readonly rows: number;
}

/** Rows of bindable parts are multiples of this: they then begin at a multiple of the view alignment. */
const ROW_STEP = 64;

/** A matrix cut by rows into parts that an adapter can bind; one part, if it can bind the whole. */
export function rowBlocks(rows: number, rowBytes: number, bindingBytes: number): RowBlock[] {
  if (rows * rowBytes <= bindingBytes) return [{ first: 0, rows }];
  const step = Math.max(ROW_STEP, Math.floor(bindingBytes / rowBytes / ROW_STEP) * ROW_STEP);
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => ({
    first: i * step,
    rows: Math.min(step, rows - i * step),
  }));
}

/** The bindable parts of a weight: a matrix larger than the adapter binds at once is worked through block by block. */
export function weightBlocks(weight: Weight, bindingBytes: number): RowBlock[] {
  return rowBlocks(weight.out, weightBytes(1, weight.in, weight.format), bindingBytes);
}
