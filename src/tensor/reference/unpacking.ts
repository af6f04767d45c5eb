/** Packed weights (formats of kernels.ts) back to f32 on the host: no stock operation reads bits. */

/** Value of an IEEE half given by its 16 bits. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** int32 words of two halves each, the even column in the low bits → f32, twice as many. */
export function unpackHalf(words: Int32Array): Float32Array {
  const values = new Float32Array(words.length * 2);
  words.forEach((word, w) => {
    values[2 * w] = halfToFloat(word & 0xffff);
    values[2 * w + 1] = halfToFloat(word >>> 16);
  });
  return values;
}

/**
 * int4 words [rows, columns/8] and half scales [rows, ceil(columns/64)] → (nibble − 8) · scale, f32 [rows, columns].
 */
export function unpackInt4(packed: Int32Array, scales: Int32Array, columns: number): Float32Array {
  const values = new Float32Array(packed.length * 8);
  const scaleWords = Math.ceil(columns / 64);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / columns);
    const group = (i % columns) >> 5; // one scale for each 32 columns
    const nibble = (packed[i >> 3]! >>> (4 * (i & 7))) & 15;
    const bits = (scales[row * scaleWords + (group >> 1)]! >>> (16 * (group & 1))) & 0xffff;
    values[i] = (nibble - 8) * halfToFloat(bits);
  }
  return values;
}
