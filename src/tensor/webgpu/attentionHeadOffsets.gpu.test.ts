/**
 * What attention computes for a row does not depend on where the row lies or what lies beside it: packing, padding and
 * slots change no bit.
 */
import { afterAll, expect, it } from "vitest";
import { randomUniform } from "../random";
import { openNodeWebGpuBackend } from "./node";

const backend = await openNodeWebGpuBackend();
afterAll(() => backend.dispose());

const [HEADS, KV_HEADS, HEAD_DIM, LENGTH] = [4, 2, 16, 21];
const WIDTH = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
const SHAPE = {
  heads: HEADS,
  kvHeads: KV_HEADS,
  headDim: HEAD_DIM,
  qOffset: 0,
  kOffset: HEADS * HEAD_DIM,
  vOffset: (HEADS + KV_HEADS) * HEAD_DIM,
};

/**
 * Attention and its gradient of a causal sequence that comes after one of `before` rows, with `after` rows of padding.
 */
async function sequenceAt(before: number, after: number): Promise<Float32Array[]> {
  const rows = before + LENGTH + after;
  const uniform = (count: number, seed: number): number[] =>
    Array.from({ length: count }, (_, i) => 4 * randomUniform(seed, 0, 0, i) - 2);
  const values = (width: number, seed: number): Float32Array =>
    Float32Array.from([
      ...uniform(before * width, 10 + seed),
      ...uniform(LENGTH * width, seed),
      ...new Float32Array(after * width),
    ]);
  const visible = Array.from({ length: rows }, (_, i) =>
    i < before ? [0, i + 1, 0, 0] : i < before + LENGTH ? [before, i + 1, 0, 0] : [0, 0, 0, 0],
  );
  const seenBy = Array.from({ length: rows }, (_, i) =>
    i < before ? [i, before] : i < before + LENGTH ? [i, before + LENGTH] : [0, 0],
  );
  const qkv = backend.upload(values(WIDTH, 1), [rows, WIDTH]);
  const ranges = backend.upload(Int32Array.from(visible.flat()), [rows, 4]);
  const { out, lse } = backend.kernels.attention(qkv, qkv, ranges, SHAPE);
  const dOut = backend.upload(values(HEADS * HEAD_DIM, 2), [rows, HEADS * HEAD_DIM]);
  const dQkv = backend.kernels.attentionGrad(
    qkv,
    ranges,
    backend.upload(Int32Array.from(seenBy.flat()), [rows, 2]),
    out,
    lse,
    dOut,
    SHAPE,
  );
  const read = await backend.read([out, lse, dQkv]);
  return read.map((all) =>
    Float32Array.from(all.slice((before * all.length) / rows, ((before + LENGTH) * all.length) / rows)),
  );
}

it("gives a sequence the same bits after others and before padding", { timeout: 60_000 }, async () => {
  const alone = await sequenceAt(0, 0);
  for (const [before, after] of [
    [0, 3],
    [1, 0],
    [6, 7],
    [16, 0],
    [29, 1],
  ] as const) {
    expect(await sequenceAt(before, after), `after ${before} rows, before ${after} of padding`).toEqual(alone);
  }
});

it("gives a slot the same bits alone and among others", { timeout: 60_000 }, async () => {
  const columns = 2 * KV_HEADS * HEAD_DIM;
  const uniform = (count: number, seed: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => 4 * randomUniform(seed, 0, 0, i) - 2);
  const cache = backend.upload(uniform(140 * columns, 3), [140, columns]);
  const queries = uniform(11 * HEADS * HEAD_DIM, 4);
  const prompts = [
    [0, 9],
    [9, 10],
    [10, 23],
  ] as const;
  const visible = Array.from({ length: 11 }, (_, slot) => [
    ...prompts[slot % 3]!,
    30 + 10 * slot,
    31 + 10 * slot + (slot % 7),
  ]);
  const attend = async (slots: readonly number[]): Promise<number[][]> => {
    const width = HEADS * HEAD_DIM;
    const q = backend.upload(
      Float32Array.from(slots.flatMap((slot) => [...queries.subarray(slot * width, (slot + 1) * width)])),
      [slots.length, width],
    );
    const { out, lse } = backend.kernels.attention(
      q,
      cache,
      backend.upload(Int32Array.from(slots.flatMap((slot) => visible[slot]!)), [slots.length, 4]),
      { ...SHAPE, kOffset: 0, vOffset: KV_HEADS * HEAD_DIM },
    );
    const read = await backend.read([out, lse]);
    return slots.map((_, i) =>
      read.flatMap((all) => [...all.slice((i * all.length) / slots.length, ((i + 1) * all.length) / slots.length)]),
    );
  };
  const all = await attend(visible.map((_, slot) => slot));
  for (const some of [[7], [10, 1], [4, 3, 2, 9, 0]]) expect(await attend(some)).toEqual(some.map((slot) => all[slot]));
});
