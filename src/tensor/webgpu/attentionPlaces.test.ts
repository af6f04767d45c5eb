/** What attention gives a row does not depend on where the row lies and what lies beside it: packing and padding change no bit. */
import { afterAll, expect, it } from "vitest";
import { randomUniform } from "../random";
import { openNodeWebGpuHome } from "./node";

const home = await openNodeWebGpuHome();
afterAll(() => home.dispose());

const [HEADS, KV_HEADS, HEAD_DIM, LENGTH] = [4, 2, 16, 21];
const WIDTH = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
const SHAPE = { heads: HEADS, kvHeads: KV_HEADS, headDim: HEAD_DIM, qOffset: 0, kOffset: HEADS * HEAD_DIM, vOffset: (HEADS + KV_HEADS) * HEAD_DIM };

/** Attention and its gradient of a causal sequence that comes after one of `before` rows, with `after` rows of padding. */
async function sequenceAt(before: number, after: number): Promise<Float32Array[]> {
  const rows = before + LENGTH + after;
  const uniform = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => 4 * randomUniform(seed, 0, 0, i) - 2);
  const values = (width: number, seed: number): Float32Array => Float32Array.from([
    ...uniform(before * width, 10 + seed), ...uniform(LENGTH * width, seed), ...new Float32Array(after * width)]);
  const visible = Array.from({ length: rows }, (_, i) => (i < before ? [0, i + 1, 0, 0] : i < before + LENGTH ? [before, i + 1, 0, 0] : [0, 0, 0, 0]));
  const seenBy = Array.from({ length: rows }, (_, i) => (i < before ? [i, before] : i < before + LENGTH ? [i, before + LENGTH] : [0, 0]));
  const qkv = home.upload(values(WIDTH, 1), [rows, WIDTH]);
  const ranges = home.upload(Int32Array.from(visible.flat()), [rows, 4]);
  const { out, lse } = home.kernels.attention(qkv, qkv, ranges, SHAPE);
  const dOut = home.upload(values(HEADS * HEAD_DIM, 2), [rows, HEADS * HEAD_DIM]);
  const dQkv = home.kernels.attentionGrad(qkv, ranges, home.upload(Int32Array.from(seenBy.flat()), [rows, 2]), out, lse, dOut, SHAPE);
  const read = await home.read([out, lse, dQkv]);
  return read.map((all) => Float32Array.from(all.slice((before * all.length) / rows, ((before + LENGTH) * all.length) / rows)));
}

it("gives a sequence the same bits after others and before padding", { timeout: 60_000 }, async () => {
  const alone = await sequenceAt(0, 0);
  for (const [before, after] of [[0, 3], [1, 0], [6, 7], [16, 0], [29, 1]] as const) {
    expect(await sequenceAt(before, after), `after ${before} rows, before ${after} of padding`).toEqual(alone);
  }
});
