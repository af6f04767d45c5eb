/**
 * A session frozen at any phase: weights, AdamW moments, the KL reference and the plain state (random streams, data
 * cursor, settings, the step under way). One byte layout serves files, IndexedDB and the network, little-endian:
 *
 *   "SRPOSNP2" · u32 checksum of all that follows (checksum.ts) · u32 length of the header · header, JSON in UTF-8 ·
 *   padding to 4 bytes · float32 arrays · lists of numbers (numberLists.ts)
 *
 * "SRPOSNP1", as it was written before, has no checksum and no lists; it is still read.
 */
import { z } from "zod";
import { jsonRefusal } from "../policy/checkpoint/jsonBounds";
import { checksum } from "./checksum";
import { LIST_TYPES, listBytes, listsIn, type NumberLists, withLists, withoutLists } from "./numberLists";
import { type SessionState, sessionStateSchema } from "./state";

export interface Snapshot {
  readonly state: SessionState;
  /** The trainable parameters and AdamW's first and second moments, flat, in ParameterSet's order. */
  readonly parameters: { readonly theta: Float32Array; readonly m: Float32Array; readonly v: Float32Array };
  /** Weights of the frozen policy that the KL term measures against; null while β = 0. */
  readonly reference: Float32Array | null;
}

/** A snapshot's bytes are not what they should be. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
}

const MAGIC = new TextEncoder().encode("SRPOSNP2");
const MAGIC_WITHOUT_CHECKSUM = new TextEncoder().encode("SRPOSNP1");

const count = z.int().nonnegative();
const lengths = z.array(count).min(3).max(4);
const headerSchema = z.object({ state: z.unknown(), lengths, lists: z.object({ i32: count, f32: count, f64: count }) });
const olderHeaderSchema = z.object({ state: z.unknown(), lengths });

/** @throws SnapshotError when the state's texts are longer than the longest string */
export function encodeSnapshot(snapshot: Snapshot): Uint8Array<ArrayBuffer> {
  const { theta, m, v } = snapshot.parameters;
  const { data, lists } = withoutLists(snapshot.state);
  const floats = [theta, m, v, ...(snapshot.reference ? [snapshot.reference] : [])];
  const parts = [...floats, ...LIST_TYPES.map((type) => lists[type])];
  const json = headerBytes({
    state: data,
    lengths: floats.map(({ length }) => length),
    lists: { i32: lists.i32.length, f32: lists.f32.length, f64: lists.f64.length },
  });
  const headerStart = MAGIC.length + 8;
  const bodyStart = align4(headerStart + json.length);
  const bytes = new Uint8Array(bodyStart + parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(MAGIC.length + 4, json.length, true);
  bytes.set(json, headerStart);
  let offset = bodyStart;
  for (const { buffer, byteOffset, byteLength } of parts) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), offset);
    offset += byteLength;
  }
  view.setUint32(MAGIC.length, checksum(bytes.subarray(MAGIC.length + 4)), true);
  return bytes;
}

function headerBytes(header: z.input<typeof headerSchema>): Uint8Array {
  try {
    return new TextEncoder().encode(JSON.stringify(header));
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SnapshotError(
      "this run's state is too large for a snapshot: its records exceed the longest string (512 MB). Lower " +
        "sft.examples, grpo.replay.episode or grpo.failures.capacity",
      { cause },
    );
  }
}

/**
 * @throws SnapshotError naming what is wrong: not a snapshot, cut short, damaged, or a header that fails its schema.
 */
export function decodeSnapshot(source: Uint8Array): Snapshot {
  // Node's Buffer is a Uint8Array whose slices are no copies.
  const bytes = new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  const checked = startsWith(bytes, MAGIC);
  if (!checked && !startsWith(bytes, MAGIC_WITHOUT_CHECKSUM))
    throw new SnapshotError(`not a snapshot: expected the 8 bytes "SRPOSNP2" at the start of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerStart = MAGIC.length + (checked ? 8 : 4);
  if (bytes.length < headerStart)
    throw new SnapshotError(`snapshot cut short: expected at least ${headerStart} bytes, the file has ${bytes.length}`);
  const headerLength = view.getUint32(headerStart - 4, true);
  if (headerStart + headerLength > bytes.length) {
    throw new SnapshotError(
      `snapshot cut short: its header needs ${headerLength} bytes, ${bytes.length - headerStart} are left`,
    );
  }
  const header = parseHeader(bytes.subarray(headerStart, headerStart + headerLength), checked);
  let offset = align4(headerStart + headerLength);
  const needed = 4 * header.lengths.reduce((sum, length) => sum + length, offset / 4) + listBytes(header.lists);
  if (needed > bytes.length)
    throw new SnapshotError(`snapshot cut short: weights need ${needed} bytes, the file has ${bytes.length}`);
  if (checked) {
    const [stored, actual] = [view.getUint32(MAGIC.length, true), checksum(bytes.subarray(MAGIC.length + 4))];
    if (stored !== actual)
      throw new SnapshotError(`snapshot damaged: its checksum is ${hex(stored)}, that of its bytes ${hex(actual)}`);
  }
  const arrays = header.lengths.map((length) => {
    const end = offset + 4 * length;
    const copy = new Float32Array(bytes.slice(offset, end).buffer);
    offset = end;
    return copy;
  });
  const [theta, m, v, reference] = arrays;
  if (!theta || !m || !v)
    throw new SnapshotError(`snapshot holds ${arrays.length} arrays; expected weights and two moments`);
  const state = parseState(header.state, listsIn(bytes, offset, header.lists));
  return { state, parameters: { theta, m, v }, reference: reference ?? null };
}

/** Values are above all those of the history, some 60 a step; long lists of numbers are stored apart. */
const HEADER_BOUNDS = { depth: 32, values: 20_000_000 };

const NO_LISTS = { i32: 0, f32: 0, f64: 0 } as const;

function parseHeader(bytes: Uint8Array, checked: boolean): z.output<typeof headerSchema> {
  const refusal = jsonRefusal(bytes, HEADER_BOUNDS);
  if (refusal !== null) throw new SnapshotError(`snapshot damaged: its header is ${refusal}`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new SnapshotError("snapshot damaged: its header is not JSON", { cause });
  }
  if (checked) return accepted(headerSchema.safeParse(json));
  return { ...accepted(olderHeaderSchema.safeParse(json)), lists: NO_LISTS };
}

function parseState(stored: unknown, lists: NumberLists): SessionState {
  let state: unknown;
  try {
    state = withLists(stored, lists);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new SnapshotError(`snapshot damaged: its state refers to ${cause.message}`, { cause });
  }
  return accepted(sessionStateSchema.safeParse(state), "state");
}

function accepted<T>(parsed: z.ZodSafeParseResult<T>, at = ""): T {
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = [...(at === "" ? [] : [at]), ...(issue?.path ?? [])].join(".");
  throw new SnapshotError(`snapshot header, at ${path || "?"}: ${issue?.message ?? "invalid"}`);
}

function startsWith(bytes: Uint8Array, magic: Uint8Array): boolean {
  return bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte);
}

const align4 = (offset: number): number => (offset + 3) & ~3;
const hex = (hash: number): string => hash.toString(16).padStart(8, "0");
