/**
 * Protocol messages as bytes, for a socket: JSON followed by binary parts. Little-endian:
 *
 *   "SRP1" · u32 length · JSON in UTF-8 · for each part: u32 length · bytes
 *
 * A part is an ArrayBuffer, a typed array, or a list of numbers (such as log-probabilities), stored in the narrowest
 * element type that holds every value exactly: the decoded message equals the encoded one, as with a structured clone.
 * In the JSON a part is `{"$part": [index, kind]}`; numbers that JSON lacks (NaN, ±Infinity, −0) are `{"$number":
 * "NaN"}`.
 */

/** Commands are small; a tab that sends more is disconnected. */
export const MAX_COMMAND_BYTES = 64 * 2 ** 10;
/** The largest event, an exported policy; a larger policy is written to the runner's disk instead. */
export const MAX_EVENT_BYTES = 256 * 2 ** 20;

/** Bytes that are not a valid message, and why. */
export class CodecError extends Error {
  override readonly name = "CodecError";
}

const MAGIC = 0x31505253; // "SRP1"
const MAX_DEPTH = 32;
const MAX_PARTS = 2 ** 20;
/** Shorter lists of numbers stay in the JSON. */
const SHORT = 8;

/** Typed arrays by their name in the JSON. */
const ARRAYS = { u8: Uint8Array, i32: Int32Array, f32: Float32Array, f64: Float64Array } as const;
type ArrayKind = keyof typeof ARRAYS;
/** `buffer`: an ArrayBuffer; `n-i32` and the like: a plain list of numbers in that element type. */
type PartKind = "buffer" | ArrayKind | `n-${ArrayKind}`;

const isKind = (kind: unknown): kind is PartKind =>
  typeof kind === "string" && (kind === "buffer" || Object.hasOwn(ARRAYS, kind.replace(/^n-/, "")));

export function encodeMessage(message: unknown): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const json = new TextEncoder().encode(JSON.stringify(pack(message, parts)));
  const length = 8 + json.length + parts.reduce((sum, part) => sum + 4 + part.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, json.length, true);
  bytes.set(json, 8);
  let offset = 8 + json.length;
  for (const part of parts) {
    view.setUint32(offset, part.length, true);
    bytes.set(part, offset + 4);
    offset += 4 + part.length;
  }
  return bytes;
}

function pack(value: unknown, parts: Uint8Array[]): unknown {
  const part = (kind: PartKind, bytes: Uint8Array): unknown => ({ $part: [parts.push(bytes) - 1, kind] });
  if (typeof value === "number")
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { $number: Object.is(value, -0) ? "-0" : String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof ArrayBuffer) return part("buffer", new Uint8Array(value));
  for (const kind of ["u8", "i32", "f32", "f64"] as const) {
    if (value instanceof ARRAYS[kind])
      return part(kind, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    if (list.length < SHORT || !isNumbers(list)) return list.map((each) => pack(each, parts));
    const kind = narrowest(list);
    return part(`n-${kind}`, new Uint8Array(ARRAYS[kind].from(list).buffer));
  }
  if (ArrayBuffer.isView(value) || Object.getPrototypeOf(value) !== Object.prototype)
    throw new CodecError(
      `a ${value.constructor.name} cannot be sent; expected plain data, ArrayBuffer, or ${Object.values(ARRAYS)
        .map(({ name }) => name)
        .join(", ")}`,
    );
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (key === "$part" || key === "$number")
        throw new CodecError(`the key "${key}" cannot be sent: it is reserved by the codec`);
      return [key, pack(entry, parts)];
    }),
  );
}

const isNumbers = (list: readonly unknown[]): list is readonly number[] =>
  list.every((each) => typeof each === "number");

/** The narrowest of u8, i32, f32, f64 that holds every number exactly. */
function narrowest(list: readonly number[]): ArrayKind {
  const whole = list.every((each) => (each | 0) === each && !Object.is(each, -0));
  if (whole) return list.every((each) => each >= 0 && each < 256) ? "u8" : "i32";
  return list.every((each) => Object.is(Math.fround(each), each)) ? "f32" : "f64";
}

/**
 * The message in `bytes`. No part allocates more than `bytes` itself.
 * @throws CodecError when it is above `limit` bytes, not a message, truncated, or has invalid parts
 */
export function decodeMessage(bytes: Uint8Array, limit: number): unknown {
  if (bytes.length > limit) throw new CodecError(`${bytes.length} bytes, expected at most ${limit}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 8 || view.getUint32(0, true) !== MAGIC)
    throw new CodecError(`${bytes.length} bytes that do not start with "SRP1"`);
  const end = 8 + view.getUint32(4, true);
  if (end > bytes.length)
    throw new CodecError(`truncated: the JSON ends at byte ${end}, the message at ${bytes.length}`);
  const parts: Uint8Array[] = [];
  for (let offset = end; offset < bytes.length; ) {
    if (offset + 4 > bytes.length) throw new CodecError(`truncated: ${bytes.length - offset} stray bytes at the end`);
    const next = offset + 4 + view.getUint32(offset, true);
    if (next > bytes.length)
      throw new CodecError(`truncated: part ${parts.length} ends at byte ${next}, the message at ${bytes.length}`);
    if (parts.push(bytes.subarray(offset + 4, next)) > MAX_PARTS) throw new CodecError(`more than ${MAX_PARTS} parts`);
    offset = next;
  }
  const unused = new Set(parts.keys());
  const message = unpack(parse(bytes.subarray(8, end)), parts, unused, 0);
  if (unused.size > 0) throw new CodecError(`${unused.size} of ${parts.length} parts are not used in the JSON`);
  return message;
}

function parse(bytes: Uint8Array): unknown {
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return json;
  } catch (cause) {
    throw new CodecError(`invalid JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function unpack(value: unknown, parts: readonly Uint8Array[], unused: Set<number>, depth: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth > MAX_DEPTH) throw new CodecError(`nested more than ${MAX_DEPTH} levels deep`);
  if (Array.isArray(value)) return value.map((each: unknown) => unpack(each, parts, unused, depth + 1));
  if ("$part" in value) return unpackPart(value.$part, parts, unused);
  if ("$number" in value) return unpackNumber(value.$number);
  // fromEntries defines properties: a key "__proto__" stays an ordinary one.
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, unpack(entry, parts, unused, depth + 1)]),
  );
}

function unpackPart(place: unknown, parts: readonly Uint8Array[], unused: Set<number>): unknown {
  const [index, kind]: readonly unknown[] = Array.isArray(place) ? place : [];
  const bytes = typeof index === "number" ? parts[index] : undefined;
  if (bytes === undefined || typeof index !== "number" || !isKind(kind) || !unused.delete(index))
    throw new CodecError(`invalid reference to part ${shown(place)}: unknown kind, missing, or used twice`);
  // A copy starts at byte 0, aligned for every element type. Node's Buffer.slice would copy nothing.
  const { buffer } = new Uint8Array(bytes);
  if (kind === "buffer") return buffer;
  const list = kind.startsWith("n-");
  const type = ARRAYS[(list ? kind.slice(2) : kind) as ArrayKind];
  if (buffer.byteLength % type.BYTES_PER_ELEMENT !== 0)
    throw new CodecError(
      `part ${index} has ${buffer.byteLength} bytes, not a multiple of ${type.BYTES_PER_ELEMENT} (${kind})`,
    );
  const array = new type(buffer);
  return list ? Array.from(array) : array;
}

/** A value for a message. What a part or a number should be may be nested more deeply than the stack is. */
const shown = (value: unknown): string =>
  Array.isArray(value)
    ? `[${value.slice(0, 3).map((each) => (typeof each === "object" ? typeof each : JSON.stringify(each)))}]`
    : typeof value === "object"
      ? "object"
      : JSON.stringify(value);

function unpackNumber(text: unknown): number {
  if (text === "NaN") return Number.NaN;
  if (text === "Infinity" || text === "-Infinity") return Number(text);
  if (text === "-0") return -0;
  throw new CodecError(`$number ${shown(text)}: expected NaN, Infinity, -Infinity or -0`);
}
