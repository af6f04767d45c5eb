/** Packed weights (formats of kernels.ts) back to f32 on the host: no stock operation reads bits. */
import { fromF16 } from "../packedWeight";

/** int32 words of two f16 values each, the even column in the low bits → f32, twice as many. */
export function unpackF16(words: Int32Array): Float32Array {
  const values = new Float32Array(words.length * 2);
  words.forEach((word, w) => {
    values[2 * w] = fromF16(word & 0xffff);
    values[2 * w + 1] = fromF16(word >>> 16);
  });
  return values;
}

/** int4 words [rows, columns/8] and f16 scales [rows, ceil(columns/64)] → (nibble − 8) · scale, f32 [rows, columns]. */
export function unpackInt4(packed: Int32Array, scales: Int32Array, columns: number): Float32Array {
  const values = new Float32Array(packed.length * 8);
  const scaleWords = Math.ceil(columns / 64);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / columns);
    const group = (i % columns) >> 5; // one scale for each 32 columns
    const nibble = (packed[i >> 3]! >>> (4 * (i & 7))) & 15;
    const bits = (scales[row * scaleWords + (group >> 1)]! >>> (16 * (group & 1))) & 0xffff;
    values[i] = (nibble - 8) * fromF16(bits);
  }
  return values;
}
