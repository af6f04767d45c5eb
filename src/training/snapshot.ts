/**
 * A session frozen at any phase: weights, AdamW moments, the KL reference and the plain state (random
 * streams, data cursor, settings, the step under way). One byte layout serves files, IndexedDB and the
 * network: 8 bytes magic, u32 length of a JSON header, the header, then float32 arrays, little-endian.
 */
import { z } from "zod";
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

const MAGIC = new TextEncoder().encode("SRPOSNP1");
const headerSchema = z.object({ state: sessionStateSchema, lengths: z.array(z.int().nonnegative()).min(3).max(4) });

export function encodeSnapshot(snapshot: Snapshot): Uint8Array<ArrayBuffer> {
  const { theta, m, v } = snapshot.parameters;
  const arrays = [theta, m, v, ...(snapshot.reference ? [snapshot.reference] : [])];
  const json = new TextEncoder().encode(
    JSON.stringify({ state: snapshot.state, lengths: arrays.map((array) => array.length) }),
  );
  const bodyStart = align4(MAGIC.length + 4 + json.length);
  const bytes = new Uint8Array(bodyStart + arrays.reduce((sum, array) => sum + array.byteLength, 0));
  bytes.set(MAGIC, 0);
  new DataView(bytes.buffer).setUint32(MAGIC.length, json.length, true);
  bytes.set(json, MAGIC.length + 4);
  let offset = bodyStart;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset);
    offset += array.byteLength;
  }
  return bytes;
}

/** @throws SnapshotError naming what is wrong: not a snapshot, cut short, or a header that fails its schema. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot {
  if (bytes.length < MAGIC.length + 4 || MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new SnapshotError(`not a snapshot: expected the 8 bytes "SRPOSNP1" at the start of ${bytes.length} bytes`);
  }
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(MAGIC.length, true);
  const headerStart = MAGIC.length + 4;
  if (headerStart + headerLength > bytes.length) {
    throw new SnapshotError(
      `snapshot cut short: its header needs ${headerLength} bytes, ${bytes.length - headerStart} are left`,
    );
  }
  const header = parseHeader(bytes.subarray(headerStart, headerStart + headerLength));
  let offset = align4(headerStart + headerLength);
  const arrays = header.lengths.map((length) => {
    const end = offset + 4 * length;
    if (end > bytes.length)
      throw new SnapshotError(`snapshot cut short: weights need ${end} bytes, the file has ${bytes.length}`);
    const copy = new Float32Array(bytes.slice(offset, end).buffer);
    offset = end;
    return copy;
  });
  const [theta, m, v, reference] = arrays;
  if (!theta || !m || !v)
    throw new SnapshotError(`snapshot holds ${arrays.length} arrays; expected weights and two moments`);
  return { state: header.state, parameters: { theta, m, v }, reference: reference ?? null };
}

function parseHeader(bytes: Uint8Array): { state: SessionState; lengths: number[] } {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new SnapshotError("snapshot header is not JSON", { cause });
  }
  const parsed = headerSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new SnapshotError(`snapshot header, at ${issue?.path.join(".") ?? "?"}: ${issue?.message ?? "invalid"}`);
  }
  return parsed.data;
}

const align4 = (offset: number): number => (offset + 3) & ~3;
