/**
 * Packing of frozen weight matrices on the host into the formats `Weight` defines (kernels.ts): f16
 * (round to nearest even, as torch's .half()) and int4 with one f16 scale for each 32 columns
 * (symmetric, scale = max|w| / 7; nibble − 8 in −7…7).
 */
import type { Backend } from "./backend";
import type { Weight } from "./kernels";

export type WeightFormat = Weight["format"];
export const WEIGHT_FORMATS = ["f32", "f16", "int4"] as const satisfies readonly WeightFormat[];
export type PackedFormat = Exclude<WeightFormat, "f32">;

/** The largest magnitude that a format holds: f16's, and seven steps of an f16 scale. */
export function largestValue(format: WeightFormat): number {
  return { f32: Infinity, f16: 65504, int4: 7 * 65504 }[format];
}

/** Rows must hold a multiple of this many values. */
const ROW_UNIT: Readonly<Record<PackedFormat, number>> = { f16: 2, int4: 32 };

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** A float32 as the 16 bits of the nearest f16 (ties to even; beyond 65504: infinity). */
export function toF16(value: number): number {
  floats[0] = value;
  const x = bits[0] ?? 0;
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: multiples of 2^-24.
    const steps = Math.abs(value) * 16777216;
    const floor = Math.floor(steps);
    const rest = steps - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** The value of the 16 bits of an f16. */
export function fromF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Rows of a matrix as packed words in the layout of `Weight`; `scales` is null except for int4. */
export interface PackedRows {
  readonly packed: Int32Array;
  readonly scales: Int32Array | null;
}

/**
 * Pack whole rows of `columns` values. Rows do not depend on each other, so a matrix may be packed piece by piece.
 * @throws Error when the columns do not divide as the format needs
 */
export function packRows(values: Float32Array, columns: number, format: PackedFormat): PackedRows {
  const unit = ROW_UNIT[format];
  if (columns % unit !== 0)
    throw new Error(`packRows: ${format} needs rows of a multiple of ${unit} values, got ${columns}.`);
  return format === "f16" ? { packed: packF16(values), scales: null } : packNibbles(values, columns);
}

function packF16(values: Float32Array): Int32Array {
  const words = new Int32Array(values.length / 2);
  for (let w = 0; w < words.length; w++) words[w] = toF16(values[2 * w]!) | (toF16(values[2 * w + 1]!) << 16);
  return words;
}

function packNibbles(values: Float32Array, columns: number): PackedRows {
  const rows = values.length / columns;
  const scaleWords = Math.ceil(columns / 64);
  const packed = new Int32Array(values.length / 8);
  const scales = new Int32Array(rows * scaleWords);
  let at = 0; // word of `packed`
  for (let row = 0; row < rows; row++) {
    for (let start = 0; start < columns; start += 32) {
      const first = row * columns + start;
      let largest = 0;
      for (let i = first; i < first + 32; i++) largest = Math.max(largest, Math.abs(values[i]!));
      const half = toF16(largest / 7);
      const scale = fromF16(half);
      const word = row * scaleWords + (start >> 6);
      scales[word] = scales[word]! | (half << (16 * ((start >> 5) & 1)));
      for (let i = first; i < first + 32; i += 8, at++) {
        let nibbles = 0;
        for (let j = 0; j < 8; j++) {
          const level = scale === 0 ? 0 : Math.max(-7, Math.min(7, Math.round(values[i + j]! / scale)));
          nibbles |= (level + 8) << (4 * j);
        }
        packed[at] = nibbles;
      }
    }
  }
  return { packed, scales };
}

/** A weight of zeros, to be filled by `writeRows`. */
export function emptyWeight(backend: Backend, out: number, columns: number, format: WeightFormat): Weight {
  if (format === "f32") return { format, out, in: columns, values: backend.zeros([out, columns]) };
  if (columns % ROW_UNIT[format] !== 0)
    throw new Error(`emptyWeight: ${format} needs rows of a multiple of ${ROW_UNIT[format]} values, got ${columns}.`);
  if (format === "f16") return { format, out, in: columns, packed: backend.zeros([out, columns / 2], "int32") };
  return {
    format,
    out,
    in: columns,
    packed: backend.zeros([out, columns / 8], "int32"),
    scales: backend.zeros([out, Math.ceil(columns / 64)], "int32"),
  };
}

/** Overwrite rows of a weight from row `firstRow` on, packing them on the way. */
export function writeRows(backend: Backend, weight: Weight, firstRow: number, values: Float32Array): void {
  if (weight.format === "f32") return backend.write(weight.values, values, firstRow * weight.in);
  const { packed, scales } = packRows(values, weight.in, weight.format);
  backend.write(weight.packed, packed, (firstRow * weight.in) / (weight.format === "f16" ? 2 : 8));
  if (weight.format === "int4" && scales !== null)
    backend.write(weight.scales, scales, firstRow * Math.ceil(weight.in / 64));
}

/**
 * Upload `values` [out, columns] in the given format.
 * @throws Error when the columns do not divide as the format needs.
 */
export function packWeight(
  backend: Backend,
  values: Float32Array,
  out: number,
  columns: number,
  format: WeightFormat,
): Weight {
  if (format === "f32") return { format, out, in: columns, values: backend.upload(values, [out, columns]) };
  const { packed, scales } = packRows(values, columns, format);
  if (format === "f16" || scales === null)
    return { format: "f16", out, in: columns, packed: backend.upload(packed, [out, columns / 2]) };
  return {
    format,
    out,
    in: columns,
    packed: backend.upload(packed, [out, columns / 8]),
    scales: backend.upload(scales, [out, Math.ceil(columns / 64)]),
  };
}

/** Bytes that a matrix takes in a format. */
export function weightBytes(out: number, columns: number, format: WeightFormat): number {
  switch (format) {
    case "f32":
      return 4 * out * columns;
    case "f16":
      return 2 * out * columns;
    case "int4":
      return (out * columns) / 2 + 4 * out * Math.ceil(columns / 64);
    default:
      return format satisfies never;
  }
}

/** Whether a matrix with rows of this length can be stored in this format. */
export function fitsFormat(columns: number, format: WeightFormat): boolean {
  return format === "f32" || columns % ROW_UNIT[format] === 0;
}

/** Read a weight back as float32 [out · in] (what the kernels multiply with). */
export async function unpackWeight(backend: Backend, weight: Weight): Promise<Float32Array> {
  const read = await backend.read(
    weight.format === "f32"
      ? [weight.values]
      : weight.format === "f16"
        ? [weight.packed]
        : [weight.packed, weight.scales],
  );
  const words = read[0] ?? new Int32Array(0);
  if (weight.format === "f32") return Float32Array.from(words);
  const values = new Float32Array(weight.out * weight.in);
  if (weight.format === "f16") {
    for (let i = 0; i < values.length; i++) values[i] = fromF16(((words[i >> 1] ?? 0) >>> (16 * (i & 1))) & 0xffff);
    return values;
  }
  const scales = read[1] ?? new Int32Array(0);
  const scaleWords = Math.ceil(weight.in / 64);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / weight.in);
    const block = (i % weight.in) >> 5;
    const scale = fromF16(((scales[row * scaleWords + (block >> 1)] ?? 0) >>> (16 * (block & 1))) & 0xffff);
    values[i] = ((((words[i >> 3] ?? 0) >>> (4 * (i & 7))) & 15) - 8) * scale;
  }
  return values;
}

export function disposeWeight(weight: Weight): void {
  if (weight.format === "f32") weight.values.dispose();
  else weight.packed.dispose();
  if (weight.format === "int4") weight.scales.dispose();
}
