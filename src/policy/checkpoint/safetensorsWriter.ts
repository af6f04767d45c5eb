/**
 * Writing safetensors: the same tensors give the same bytes (names sorted, data in that order), the header padded
 * with spaces to a multiple of 8 so that data is aligned, metadata {format: "pt"} as transformers expects.
 */
import { elementBytes, type SafetensorsDtype, SafetensorsError } from "./safetensors";

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

/** Position of a tensor in a file to be written. */
export interface TensorPlan {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/** Bytes of a tensor's data. */
export function planBytes({ dtype, shape }: TensorPlan): number {
  return shape.reduce((product, size) => product * size, elementBytes(dtype));
}

/** In file order. */
export function inFileOrder<T extends { readonly name: string }>(tensors: readonly T[]): T[] {
  return [...tensors].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/**
 * What stands before the data: the header's length and the header.
 * @param tensors in file order
 * @throws SafetensorsError when a name repeats or is reserved
 */
export function safetensorsHead(
  tensors: readonly TensorPlan[],
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Uint8Array {
  const header: [string, unknown][] = [["__metadata__", metadata]];
  let offset = 0;
  let previous: string | null = null;
  for (const tensor of tensors) {
    const { name, dtype, shape } = tensor;
    if (name === previous) throw new SafetensorsError(`Writing safetensors: tensor ${name} is given twice.`);
    if (name === "__metadata__")
      throw new SafetensorsError("Writing safetensors: __metadata__ is reserved and cannot name a tensor.");
    previous = name;
    const end = offset + planBytes(tensor);
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Object.fromEntries would move integer-like names to the front; entries are written in order by hand.
  let json = `{${header.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(",")}}`;
  let encoded = new TextEncoder().encode(json);
  if (encoded.length % 8 !== 0) {
    json += " ".repeat(8 - (encoded.length % 8));
    encoded = new TextEncoder().encode(json);
  }
  const head = new Uint8Array(8 + encoded.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(encoded.length), true);
  head.set(encoded, 8);
  return head;
}

/** @throws SafetensorsError when a name repeats or values do not fill their shape. */
export function writeSafetensors(
  tensors: readonly TensorToWrite[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array {
  const sorted = inFileOrder(tensors).map(({ name, shape, ...tensor }) => ({
    name,
    shape,
    dtype: dtypeOf({ name, shape, ...tensor }),
    values: tensor.values,
  }));
  for (const tensor of sorted) {
    const bytes = planBytes(tensor);
    if (bytes !== tensor.values.byteLength)
      throw new SafetensorsError(
        `Writing safetensors: tensor ${tensor.name}: ${tensor.dtype} of shape [${tensor.shape.join(", ")}] takes ` +
          `${bytes} bytes, got ${tensor.values.byteLength}.`,
      );
  }
  const head = safetensorsHead(sorted, metadata);
  const file = new Uint8Array(sorted.reduce((end, tensor) => end + tensor.values.byteLength, head.length));
  file.set(head);
  let at = head.length;
  for (const { values } of sorted) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}
