/**
 * Packed weight formats of kernels.ts, on the host: IEEE half precision and 4-bit integers with one half
 * scale for each 32 columns, both stored in int32 words.
 */

const scratch = new DataView(new ArrayBuffer(4));

/** The 16 bits of the half nearest to `value` (ties to even); overflow gives ±infinity. */
export function floatToHalf(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  const mantissa = bits & 0x7fffff;
  if (exponent >= 31) return sign | 0x7c00 | (exponent === 143 && mantissa ? 0x200 : 0);
  if (exponent < -10) return sign;
  // Normal: drop 13 mantissa bits. Subnormal: shift the implicit one in and drop more.
  const full = exponent > 0 ? (exponent << 23) | mantissa : mantissa | 0x800000;
  const drop = exponent > 0 ? 13 : 14 - exponent;
  const kept = full >>> drop;
  const rest = full & ((1 << drop) - 1);
  const half = 1 << (drop - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1)) ? 1 : 0));
}

/** Value of a half given by its 16 bits. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** [rows, columns] f32 → int32 words, two halves each, the even column in the low bits. `columns` must be even. */
export function packHalf(values: Float32Array, columns: number): Int32Array {
  if (columns % 2 !== 0) throw new Error(`f16 packing needs an even number of columns, got ${columns}.`);
  const words = new Int32Array(values.length / 2);
  for (let w = 0; w < words.length; w++) words[w] = floatToHalf(values[2 * w]!) | (floatToHalf(values[2 * w + 1]!) << 16);
  return words;
}

/** Inverse of `packHalf`. */
export function unpackHalf(words: Int32Array): Float32Array {
  const values = new Float32Array(words.length * 2);
  words.forEach((word, w) => {
    values[2 * w] = halfToFloat(word & 0xffff);
    values[2 * w + 1] = halfToFloat(word >>> 16);
  });
  return values;
}

/** Columns that share one int4 scale. */
export const INT4_GROUP = 32;

/**
 * [rows, columns] f32 → int4 words [rows, columns/8] and half scales [rows, ceil(columns/64)].
 * A group's scale is chosen so that its largest value maps to the nibble −8 or 7 exactly; `columns`
 * must be a multiple of 32.
 */
export function packInt4(values: Float32Array, columns: number): { packed: Int32Array; scales: Int32Array } {
  if (columns % INT4_GROUP !== 0) throw new Error(`int4 packing needs a multiple of ${INT4_GROUP} columns, got ${columns}.`);
  const rows = values.length / columns;
  const packed = new Int32Array(values.length / 8);
  const scaleWords = Math.ceil(columns / 64);
  const scales = new Int32Array(rows * scaleWords);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < columns / INT4_GROUP; group++) {
      const start = row * columns + group * INT4_GROUP;
      let extreme = 0; // signed value of largest magnitude
      for (let i = start; i < start + INT4_GROUP; i++) if (Math.abs(values[i]!) > Math.abs(extreme)) extreme = values[i]!;
      const bits = floatToHalf(extreme / -8);
      const scale = halfToFloat(bits);
      const scaleWord = row * scaleWords + (group >> 1);
      scales[scaleWord] = scales[scaleWord]! | (bits << (16 * (group & 1)));
      for (let i = start; i < start + INT4_GROUP; i++) {
        const level = scale === 0 ? 0 : Math.round(values[i]! / scale);
        const nibble = Math.min(15, Math.max(0, level + 8));
        packed[i >> 3] = packed[i >> 3]! | (nibble << (4 * (i & 7)));
      }
    }
  }
  return { packed, scales };
}

/** Values of an int4 weight: (nibble − 8) · scale of its group. */
export function unpackInt4(packed: Int32Array, scales: Int32Array, columns: number): Float32Array {
  const values = new Float32Array(packed.length * 8);
  const scaleWords = Math.ceil(columns / 64);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / columns);
    const column = i % columns;
    const nibble = (packed[i >> 3]! >>> (4 * (i & 7))) & 15;
    const group = column >> 5;
    const bits = (scales[row * scaleWords + (group >> 1)]! >>> (16 * (group & 1))) & 0xffff;
    values[i] = (nibble - 8) * halfToFloat(bits);
  }
  return values;
}
