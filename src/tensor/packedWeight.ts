/**
 * Packing of frozen weight matrices on the host into the formats `Weight` defines (kernels.ts): IEEE halves
 * (round to nearest even, as torch's .half()) and int4 with one half-precision scale for each 32 columns
 * (symmetric, scale = max|w| / 7; nibble − 8 in −7…7).
 */
import type { Home } from "./home";
import type { Weight } from "./kernels";

export type WeightFormat = Weight["format"];

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** A float32 as the 16 bits of the nearest IEEE half (ties to even; beyond 65504: infinity). */
export function toHalf(value: number): number {
  floats[0] = value;
  const x = bits[0] ?? 0;
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal half: multiples of 2^-24.
    const steps = Math.abs(value) * 16777216;
    const floor = Math.floor(steps);
    const rest = steps - floor;
    return sign | (floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0));
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

/** The value of the 16 bits of an IEEE half. */
export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Upload `values` [out, columns] in the given format. @throws Error when the columns do not divide as the format needs. */
export function packWeight(home: Home, values: Float32Array, out: number, columns: number, format: WeightFormat): Weight {
  if (format === "f32") return { format, out, in: columns, values: home.upload(values, [out, columns]) };
  const unit = format === "f16" ? 2 : 32;
  if (columns % unit !== 0) throw new Error(`packWeight: ${format} needs rows of a multiple of ${unit} values, got ${columns}.`);
  if (format === "f16") {
    const words = new Int32Array(values.length / 2);
    for (let w = 0; w < words.length; w++) words[w] = toHalf(values[2 * w] ?? 0) | (toHalf(values[2 * w + 1] ?? 0) << 16);
    return { format, out, in: columns, packed: home.upload(words, [out, columns / 2]) };
  }
  const blocks = columns / 32;
  const scaleWords = Math.ceil(columns / 64);
  const packed = new Int32Array((out * columns) / 8);
  const scales = new Int32Array(out * scaleWords);
  for (let row = 0; row < out; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * 32;
      let largest = 0;
      for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(values[start + i] ?? 0));
      const half = toHalf(largest / 7);
      const scale = fromHalf(half);
      const word = row * scaleWords + (block >> 1);
      scales[word] = (scales[word] ?? 0) | (half << (16 * (block & 1)));
      for (let i = 0; i < 32; i++) {
        const level = scale === 0 ? 0 : Math.max(-7, Math.min(7, Math.round((values[start + i] ?? 0) / scale)));
        const at = (start + i) >> 3;
        packed[at] = (packed[at] ?? 0) | ((level + 8) << (4 * (i & 7)));
      }
    }
  }
  return { format, out, in: columns, packed: home.upload(packed, [out, columns / 8]), scales: home.upload(scales, [out, scaleWords]) };
}

/** Read a weight back as float32 [out · in] (what the kernels multiply with). */
export async function unpackWeight(home: Home, weight: Weight): Promise<Float32Array> {
  const read = await home.read(weight.format === "f32" ? [weight.values] : weight.format === "f16" ? [weight.packed] : [weight.packed, weight.scales]);
  const words = read[0] ?? new Int32Array(0);
  if (weight.format === "f32") return Float32Array.from(words);
  const values = new Float32Array(weight.out * weight.in);
  if (weight.format === "f16") {
    for (let i = 0; i < values.length; i++) values[i] = fromHalf(((words[i >> 1] ?? 0) >>> (16 * (i & 1))) & 0xffff);
    return values;
  }
  const scales = read[1] ?? new Int32Array(0);
  const scaleWords = Math.ceil(weight.in / 64);
  for (let i = 0; i < values.length; i++) {
    const row = Math.floor(i / weight.in);
    const block = (i % weight.in) >> 5;
    const scale = fromHalf(((scales[row * scaleWords + (block >> 1)] ?? 0) >>> (16 * (block & 1))) & 0xffff);
    values[i] = ((((words[i >> 3] ?? 0) >>> (4 * (i & 7))) & 15) - 8) * scale;
  }
  return values;
}

export function disposeWeight(weight: Weight): void {
  if (weight.format === "f32") weight.values.dispose();
  else weight.packed.dispose();
  if (weight.format === "int4") weight.scales.dispose();
}
