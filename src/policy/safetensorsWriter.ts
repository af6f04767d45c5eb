/**
 * Writing safetensors: the same tensors give the same bytes (names sorted, data in that order), the header padded
 * with spaces to a multiple of 8 so that data is aligned, metadata {format: "pt"} as transformers expects.
 */
import { elementBytes, SafetensorsError, type SafetensorsDtype } from "./safetensors";

export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: SafetensorsDtype;
  /** Elements (Float32Array: F32, Int32Array: I32) or raw little-endian bytes of `dtype`. */
  readonly values: Float32Array | Int32Array | Uint8Array;
}

function dtypeOf(tensor: TensorToWrite): SafetensorsDtype {
  if (tensor.dtype) return tensor.dtype;
  if (tensor.values instanceof Float32Array) return "F32";
  return tensor.values instanceof Int32Array ? "I32" : "U8";
}

/** @throws SafetensorsError when a name repeats or values do not fill their shape. */
export function writeSafetensors(tensors: readonly TensorToWrite[], metadata: Readonly<Record<string, string>> = { format: "pt" }): Uint8Array {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const header: [string, unknown][] = [["__metadata__", metadata]];
  let offset = 0;
  let previous: string | null = null;
  for (const tensor of sorted) {
    if (tensor.name === previous) throw new SafetensorsError(`Writing safetensors: tensor ${tensor.name} is given twice.`);
    if (tensor.name === "__metadata__") throw new SafetensorsError("Writing safetensors: __metadata__ is reserved and cannot name a tensor.");
    previous = tensor.name;
    const dtype = dtypeOf(tensor);
    const bytes = tensor.shape.reduce((product, size) => product * size, elementBytes(dtype));
    if (bytes !== tensor.values.byteLength) throw new SafetensorsError(`Writing safetensors: tensor ${tensor.name}: ${dtype} of shape [${tensor.shape.join(", ")}] takes ${bytes} bytes, got ${tensor.values.byteLength}.`);
    header.push([tensor.name, { dtype, shape: tensor.shape, data_offsets: [offset, offset + bytes] }]);
    offset += bytes;
  }
  // Object.fromEntries would move integer-like names to the front; entries are written in order by hand.
  let json = `{${header.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
  let encoded = new TextEncoder().encode(json);
  if (encoded.length % 8 !== 0) {
    json += " ".repeat(8 - (encoded.length % 8));
    encoded = new TextEncoder().encode(json);
  }
  const file = new Uint8Array(8 + encoded.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(encoded.length), true);
  file.set(encoded, 8);
  let at = 8 + encoded.length;
  for (const tensor of sorted) {
    file.set(new Uint8Array(tensor.values.buffer, tensor.values.byteOffset, tensor.values.byteLength), at);
    at += tensor.values.byteLength;
  }
  return file;
}
