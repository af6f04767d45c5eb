/**
 * Elements of a safetensors tensor as JavaScript typed arrays: widening of half formats, narrowing checks of integers.
 */
import { fromHalf, toHalf } from "../../tensor/packedWeight";
import { elementBytes, type Safetensors, type SafetensorsDtype, SafetensorsError } from "./safetensors";

/** A typed view needs an aligned offset; misaligned bytes are copied once. */
function aligned(bytes: Uint8Array, alignment: number): Uint8Array {
  return bytes.byteOffset % alignment === 0 ? bytes : bytes.slice();
}

const wide = new Uint32Array(1);
const wideFloat = new Float32Array(wide.buffer);

let halfTable: Float32Array | null = null;

/** All 65,536 halves, made on first use: widening is then one look-up an element. */
function halves(): Float32Array {
  halfTable ??= Float32Array.from({ length: 65536 }, (_, bits) => fromHalf(bits));
  return halfTable;
}

/**
 * Raw little-endian elements as float32. F32 is a view of `bytes` where alignment allows (treat it as read-only);
 * F16 and BF16 are exact; F64 and integers are rounded to float32.
 */
export function toFloat32(bytes: Uint8Array, dtype: SafetensorsDtype, where: string): Float32Array {
  const count = bytes.length / elementBytes(dtype);
  const at = aligned(bytes, elementBytes(dtype));
  switch (dtype) {
    case "F32":
      return new Float32Array(at.buffer, at.byteOffset, count);
    case "F16": {
      const table = halves();
      return Float32Array.from(new Uint16Array(at.buffer, at.byteOffset, count), (bits) => table[bits]!);
    }
    case "BF16": {
      const source = new Uint16Array(at.buffer, at.byteOffset, count);
      const words = new Uint32Array(count); // a bfloat16 is the upper half of a float32
      for (let i = 0; i < count; i++) words[i] = source[i]! << 16;
      return new Float32Array(words.buffer);
    }
    case "F64":
      return Float32Array.from(new Float64Array(at.buffer, at.byteOffset, count));
    case "I64":
    case "I32":
    case "I16":
    case "I8":
    case "U8":
    case "BOOL":
      return Float32Array.from(toInt32(bytes, dtype, where));
    default:
      throw new SafetensorsError(
        `${where}: ${dtype} cannot be read as float32; expected F32, F16, BF16, F64 or an integer type.`,
      );
  }
}

/** Raw little-endian integers as int32; a 64-bit value outside int32 is an error, not a wrap. */
export function toInt32(bytes: Uint8Array, dtype: SafetensorsDtype, where: string): Int32Array {
  const count = bytes.length / elementBytes(dtype);
  const at = aligned(bytes, elementBytes(dtype));
  switch (dtype) {
    case "I32":
      return new Int32Array(at.buffer, at.byteOffset, count);
    case "I64": {
      const source = new BigInt64Array(at.buffer, at.byteOffset, count);
      return Int32Array.from(source, (value) => {
        if (BigInt.asIntN(32, value) !== value)
          throw new SafetensorsError(`${where}: the value ${value} does not fit 32 bits.`);
        return Number(value);
      });
    }
    case "I16":
      return Int32Array.from(new Int16Array(at.buffer, at.byteOffset, count));
    case "I8":
      return Int32Array.from(new Int8Array(at.buffer, at.byteOffset, count));
    case "U8":
    case "BOOL":
      return Int32Array.from(at.subarray(0, count));
    default:
      throw new SafetensorsError(`${where}: ${dtype} cannot be read as int32; expected I64, I32, I16, I8, U8 or BOOL.`);
  }
}

/** A tensor of an opened file as float32. */
export function readFloat32(file: Safetensors, name: string): Float32Array {
  return toFloat32(file.raw(name), file.entry(name).dtype, `${file.file}: tensor ${name}`);
}

/** An integer tensor of an opened file as int32. */
export function readInt32(file: Safetensors, name: string): Int32Array {
  return toInt32(file.raw(name), file.entry(name).dtype, `${file.file}: tensor ${name}`);
}

/** The upper halves of float32 values, rounded to nearest even: bfloat16 as stored on disk. NaN stays NaN. */
export function toBfloat16(values: Float32Array): Uint8Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    wideFloat[0] = values[i]!;
    const bits = wide[0]!;
    out[i] = (bits & 0x7fffffff) > 0x7f800000 ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
  return new Uint8Array(out.buffer);
}

/**
 * IEEE halves as stored on disk, rounded to nearest even. @throws SafetensorsError where a finite value is too large
 * for one
 */
export function toFloat16(values: Float32Array, where: string): Uint8Array {
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const half = toHalf(values[i]!);
    if ((half & 0x7fff) === 0x7c00 && Number.isFinite(values[i]))
      throw new SafetensorsError(`${where}: the value ${values[i]} does not fit 16 bits (at most 65504).`);
    out[i] = half;
  }
  return new Uint8Array(out.buffer);
}
