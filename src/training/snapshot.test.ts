/** Whatever a run holds comes back from its snapshot, and a damaged one is told from a whole one. */
import { describe, expect, test } from "vitest";
import { defaultSettings } from "./settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot, SnapshotError } from "./snapshot";
import type { SampledRow, SessionState } from "./state";

const row = (logprobs: readonly number[]): SampledRow => ({
  tokens: logprobs.map((_, i) => 300 * i),
  logprobs: [...logprobs],
  entropies: logprobs.map((_, i) => i / 3),
  finished: false,
});

/** What the forward pass of a policy that has diverged leaves. */
const DIVERGED = [-0.25, Number.NaN, -Infinity, Infinity, -0, -1e-40, -0.1, -7, -12];

function state(logprobs: readonly number[]): SessionState {
  return {
    version: 1,
    stage: "grpo",
    step: 1,
    updates: 1,
    cursor: { base: 0, sft: 0, grpo: 16 },
    chunks: 0,
    passedOver: 0,
    samples: 0,
    refusals: 0,
    settings: defaultSettings,
    pending: {
      next: "score",
      settings: defaultSettings,
      groups: [{ problem: "bars:1", prefix: [], rows: [row(logprobs), row([])], rethought: [] }],
      refills: 0,
      skipped: null,
      rolloutSeconds: 1,
      seconds: 2,
    },
    replay: [{ problem: "bars:2", prefix: [1, 2], row: row(logprobs), advantage: logprobs[1] ?? 0, step: 0 }],
    failures: [{ problem: "bars:3", tokens: Array.from({ length: 40 }, (_, i) => i), right: false, step: 0 }],
    examples: [],
    progress: { collected: 0, wanted: 8, right: 0, wrong: 0, discarded: 0 },
    history: [{ step: 1, stage: "grpo", kl: logprobs[2] ?? 0, grad_norm: 0.5 }],
  };
}

const snapshot = (logprobs: readonly number[]): Snapshot => ({
  state: state(logprobs),
  parameters: {
    theta: Float32Array.of(1, 0.1, Number.NaN),
    m: Float32Array.of(0, -0, 1e-45),
    v: Float32Array.of(1e-30, 2, Infinity),
  },
  reference: Float32Array.of(3, 4, 5),
});

/** The layout before checksums: magic, length of the header, header, weights. */
function olderBytes({ state: kept, parameters: { theta, m, v } }: Snapshot): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify({ state: kept, lengths: [theta, m, v].map((a) => a.length) }));
  const body = (12 + header.length + 3) & ~3;
  const bytes = new Uint8Array(body + 12 * theta.length);
  bytes.set(new TextEncoder().encode("SRPOSNP1"));
  new DataView(bytes.buffer).setUint32(8, header.length, true);
  bytes.set(header, 12);
  [theta, m, v].forEach((array, i) => bytes.set(new Uint8Array(array.buffer), body + 4 * i * theta.length));
  return bytes;
}

describe("a snapshot can always be read back", () => {
  test("with numbers that are not finite, negative zeros and every f32 bit", () => {
    const kept = snapshot(DIVERGED);
    expect(decodeSnapshot(encodeSnapshot(kept))).toEqual(kept);
  });

  test("from bytes that do not start on a boundary", () => {
    const bytes = encodeSnapshot(snapshot(DIVERGED));
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(decodeSnapshot(shifted.subarray(1))).toEqual(snapshot(DIVERGED));
  });

  test("from a Buffer, whose slices are no copies", () => {
    expect(decodeSnapshot(Buffer.from(encodeSnapshot(snapshot(DIVERGED))))).toEqual(snapshot(DIVERGED));
  });

  test("tokens and log-probabilities are not in the header, which has a longest string", () => {
    const long = Array.from({ length: 2000 }, (_, i) => Math.fround(-i / 7));
    const bytes = encodeSnapshot(snapshot(long));
    const header = new DataView(bytes.buffer).getUint32(12, true);
    expect(header).toBeLessThan(20_000);
    expect(decodeSnapshot(bytes)).toEqual(snapshot(long));
  });

  test("one without a checksum still opens", () => {
    const finite = { ...snapshot([-0.5, -1, -2]), reference: null };
    expect(decodeSnapshot(olderBytes(finite))).toEqual(finite);
  });

  test("one in which NaN was written as null still opens", () => {
    const diverged = { ...snapshot([-0.5, -1, -2]), reference: null };
    const [group] = diverged.state.pending?.groups ?? [];
    group?.rows.push(row([Number.NaN]));
    expect(decodeSnapshot(olderBytes(diverged))).toEqual(diverged);
  });
});

describe("a damaged snapshot is told from a whole one", () => {
  const bytes = encodeSnapshot(snapshot([-0.5, -1, -2]));

  test("wherever a bit flips", () => {
    for (let at = 0; at < bytes.length; at += at < 40 ? 1 : 37) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect(() => decodeSnapshot(damaged), `byte ${at}`).toThrow(SnapshotError);
    }
  });

  test("wherever it is cut off, and with bytes behind it", () => {
    for (let length = 0; length < bytes.length; length += length < 40 ? 1 : 41)
      expect(() => decodeSnapshot(bytes.subarray(0, length)), `${length} bytes`).toThrow(SnapshotError);
    const longer = new Uint8Array(bytes.length + 4);
    longer.set(bytes);
    expect(() => decodeSnapshot(longer)).toThrow(/damaged: its checksum/);
  });

  test("filled with zeros from a page on, as after a power cut", () => {
    const damaged = bytes.slice();
    damaged.fill(0, bytes.length - 30);
    expect(() => decodeSnapshot(damaged)).toThrow(/damaged: its checksum is [0-9a-f]{8}, that of its bytes/);
  });
});
