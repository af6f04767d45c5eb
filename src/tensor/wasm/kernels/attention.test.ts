import { describe, expect, it } from "vitest";
import { attention, expectClose, keysOf, noise } from "../../testing/plain";
import { wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

describe("attention", () => {
  /** A prompt of `prompt` rows followed by responses: rows see the prompt and their own past. One row sees nothing. */
  const packed = (prompt: number, responses: readonly number[]) => {
    const visible: number[] = [];
    const seenBy: number[] = [];
    const total = prompt + responses.reduce((a, b) => a + b, 0);
    for (let i = 0; i < prompt; i++) {
      visible.push(0, i + 1, 0, 0);
      seenBy.push(i, total);
    }
    let start = prompt;
    for (const length of responses) {
      for (let i = 0; i < length; i++) {
        visible.push(0, prompt, start, start + i + 1);
        seenBy.push(start + i, start + length);
      }
      start += length;
    }
    return { n: total, visible: Int32Array.from(visible), seenBy: Int32Array.from(seenBy) };
  };
  const shapes: [number, number, number, number, number[]][] = [
    [1, 1, 2, 1, []],
    [2, 1, 5, 3, [2, 4]],
    [4, 2, 8, 5, [7, 1]],
    [4, 4, 16, 9, [6, 5, 4]],
    [4, 2, 32, 17, [23, 9]],
    [2, 2, 80, 6, [5]],
    [1, 1, 36, 3, [4]],
  ];

  it.each(shapes)(
    "%i heads, %i for keys, of %i: a prompt of %i rows and responses %j",
    async (heads, kvHeads, headDim, prompt, responses) => {
      const { n, visible, seenBy } = packed(prompt, responses);
      const shape = {
        heads,
        kvHeads,
        headDim,
        qOffset: 0,
        kOffset: heads * headDim,
        vOffset: (heads + kvHeads) * headDim,
      };
      const width = (heads + 2 * kvHeads) * headDim;
      const [qkv, dOut] = [noise(n * width, 1, 2), noise(n * heads * headDim, 2)];
      const expected = attention(qkv, qkv, visible, shape, dOut);
      const x = up(qkv, n, width);
      const ranges = up(visible, n, 4);
      const { out, lse } = wasm.backend.kernels.attention(x, x, ranges, shape);
      const grad = wasm.backend.kernels.attentionGrad(
        x,
        ranges,
        up(seenBy, n, 2),
        out,
        lse,
        up(dOut, n, heads * headDim),
        shape,
      );
      const [gotOut, gotLse, gotGrad] = await read(out, lse, grad);
      expectClose(gotOut ?? [], expected.out, 3e-6);
      expectClose(gotLse ?? [], expected.lse, 3e-6);
      expectClose(gotGrad ?? [], expected.grad, 5e-6);
    },
  );

  it("reads a cache of its own width, extends the second range, and gives 0 to a query that sees nothing", async () => {
    const shape = { heads: 2, kvHeads: 1, headDim: 4, qOffset: 3, kOffset: 0, vOffset: 4, cacheOffset: 2 };
    const [q, cache] = [noise(3 * 11, 1), noise(9 * 8, 2)];
    const visible = Int32Array.of(0, 3, 4, 6, 5, 5, 2, 2, 1, 2, 0, 0);
    expect(keysOf(visible, 0, 2)).toEqual([0, 1, 2, 4, 5, 6, 7]);
    const got = wasm.backend.kernels.attention(up(q, 3, 11), up(cache, 9, 8), up(visible, 3, 4), shape);
    const expected = attention(q, cache, visible, shape);
    const [out, lse] = await read(got.out, got.lse);
    expectClose(out ?? [], expected.out);
    expectClose(lse ?? [], expected.lse);
    expect(Array.from(out?.subarray(8, 16) ?? [])).toEqual(Array(8).fill(0));
  });

  it("takes neighbours together whose ranges begin alike but end apart", async () => {
    const shape = { heads: 1, kvHeads: 1, headDim: 8, qOffset: 0, kOffset: 0, vOffset: 8 };
    const visible = Int32Array.of(0, 40, 50, 51, 0, 1, 50, 90, 0, 3, 50, 52, 0, 40, 50, 90, 0, 40, 0, 0);
    const [q, cache] = [noise(5 * 8, 1), noise(90 * 16, 2)];
    const got = wasm.backend.kernels.attention(up(q, 5, 8), up(cache, 90, 16), up(visible, 5, 4), shape);
    const expected = attention(q, cache, visible, shape);
    const [out, lse] = await read(got.out, got.lse);
    expectClose(out ?? [], expected.out);
    expectClose(lse ?? [], expected.lse);
  });

  it("refuses ranges outside the rows", () => {
    const shape = { heads: 1, kvHeads: 1, headDim: 4, qOffset: 0, kOffset: 0, vOffset: 0 };
    expect(() =>
      wasm.backend.kernels.attention(
        wasm.backend.zeros([1, 4]),
        wasm.backend.zeros([2, 4]),
        up(Int32Array.of(0, 3, 0, 0), 1, 4),
        shape,
      ),
    ).toThrow("outside the 2 rows");
  });
});
