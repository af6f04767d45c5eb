import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../backend";
import { at, attention, expectClose, keysOf, noise } from "../testing/plain";
import { openWasmBackend } from "./backend";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const up = (values: Float32Array | Int32Array, ...shape: number[]) => backend.upload(values, shape);
const read = async (...tensors: Parameters<Backend["read"]>[0]) => {
  const values = await backend.read(tensors);
  for (const tensor of tensors) tensor.dispose();
  return values;
};
const zip = (f: (i: number) => number, count: number) => Float64Array.from({ length: count }, (_, i) => f(i));

describe.each([
  [1, 1],
  [3, 5],
  [4, 8],
  [7, 31],
  [20, 128],
])("RMSNorm of %i rows of %i", (n, d) => {
  const [x, w, dy, residual] = [noise(n * d, 1, 3), noise(d, 2), noise(n * d, 3), noise(n * d, 4)];
  const eps = 1e-6;
  const inverse = (r: number) =>
    1 / Math.sqrt(x.subarray(r * d, (r + 1) * d).reduce((sum, v) => sum + v * v, 0) / d + eps);

  it("forward", async () => {
    const [y] = await read(backend.kernels.rmsNorm(up(x, n, d), up(w, d), eps));
    expectClose(
      y ?? [],
      zip((i) => at(x, i) * inverse(Math.floor(i / d)) * at(w, i % d), n * d),
    );
  });

  it("gradient, with and without residual and weight", async () => {
    const dot = (r: number) =>
      zip((c) => at(w, c) * at(dy, r * d + c) * at(x, r * d + c), d).reduce((a, b) => a + b, 0);
    const expected = zip((i) => {
      const r = Math.floor(i / d);
      return inverse(r) * at(w, i % d) * at(dy, i) - (at(x, i) * inverse(r) ** 3 * dot(r)) / d;
    }, n * d);
    const scale = Math.max(...expected.map(Math.abs), 1);
    const into = up(w, d);
    const [dx, dw] = await read(
      backend.kernels.rmsNormGrad(up(x, n, d), up(w, d), up(dy, n, d), eps, up(residual, n, d), into),
      into,
    );
    expectClose(
      dx ?? [],
      expected.map((v, i) => v + at(residual, i)),
      3e-6,
    );
    expectClose(
      dw ?? [],
      zip(
        (c) => at(w, c) + zip((r) => at(dy, r * d + c) * at(x, r * d + c) * inverse(r), n).reduce((a, b) => a + b, 0),
        d,
      ),
    );
    const [plain] = await read(backend.kernels.rmsNormGrad(up(x, n, d), up(w, d), up(dy, n, d), eps, null, null));
    expectClose([...(plain ?? []), scale], [...expected, scale], 3e-6);
  });
});

describe("activations", () => {
  const x = Float32Array.from({ length: 1003 }, (_, i) => (i - 501) / 40);
  const dy = noise(1003, 2);
  /** erf by Simpson's rule on 2000 intervals of its integral. */
  const erf = (z: number) => {
    const h = z / 2000;
    let sum = 1 + Math.exp(-z * z);
    for (let i = 1; i < 2000; i++) sum += (i % 2 ? 4 : 2) * Math.exp(-((i * h) ** 2));
    return ((2 / Math.sqrt(Math.PI)) * sum * h) / 3;
  };
  const cdf = (v: number) => 0.5 * (1 + erf(v / Math.SQRT2));
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));

  it("GELU is exact to 1e-6, its gradient too", async () => {
    const [y] = await read(backend.kernels.gelu(up(x, 1003)));
    const [dx] = await read(backend.kernels.geluGrad(up(x, 1003), up(dy, 1003)));
    for (let i = 0; i < 1003; i++) {
      const v = at(x, i);
      expect(Math.abs(at(y ?? [], i) - v * cdf(v))).toBeLessThan(1e-6);
      const slope = cdf(v) + (v * Math.exp(-0.5 * v * v)) / Math.sqrt(2 * Math.PI);
      expect(Math.abs(at(dx ?? [], i) - at(dy, i) * slope)).toBeLessThan(1e-6);
    }
  });

  it.each([
    [1, 1],
    [3, 5],
    [6, 8],
    [5, 83],
  ])("SwiGLU of %i rows of %i, and its gradient", async (n, f) => {
    const gateUp = noise(2 * n * f, 3, 6);
    const g = (i: number) => at(gateUp, Math.floor(i / f) * 2 * f + (i % f));
    const u = (i: number) => at(gateUp, Math.floor(i / f) * 2 * f + f + (i % f));
    const d = noise(n * f, 4);
    const [y] = await read(backend.kernels.swiglu(up(gateUp, n, 2 * f)));
    expectClose(
      y ?? [],
      zip((i) => g(i) * sigmoid(g(i)) * u(i), n * f),
    );
    const [grad] = await read(backend.kernels.swigluGrad(up(gateUp, n, 2 * f), up(d, n, f)));
    expectClose(
      grad ?? [],
      zip(
        (i) => {
          const c = i % (2 * f);
          const k = Math.floor(i / (2 * f)) * f + (c % f);
          const s = sigmoid(g(k));
          return at(d, k) * (c < f ? u(k) * (s + g(k) * s * (1 - s)) : g(k) * s);
        },
        2 * n * f,
      ),
    );
  });

  it("lets NaN through", async () => {
    const [y] = await read(backend.kernels.gelu(up(Float32Array.of(1, NaN, 2), 3)));
    expect(Array.from(y ?? [], Number.isNaN)).toEqual([false, true, false]);
  });

  it("adds and fills any number of elements", async () => {
    for (const n of [1, 2, 3, 4, 7, 64]) {
      const a = noise(n, 1);
      const sum = backend.kernels.add(up(a, n), up(a, n));
      const filled = backend.zeros([n + 1]);
      backend.kernels.fill(backend.view(filled, 0, [n]), 3);
      const [s, f] = await read(sum, filled);
      expect(s).toEqual(a.map((v) => v + v));
      expect(Array.from(f ?? [])).toEqual([...Array<number>(n).fill(3), 0]);
    }
  });
});

describe("rope", () => {
  it.each([
    [3, 2, 6, 17],
    [5, 4, 8, 96],
    [2, 1, 32, 32],
  ])("%i rows, %i heads of %i in %i columns: rotates, and back", async (n, heads, headDim, width) => {
    const half = headDim / 2;
    const x = noise(n * width, 1);
    const angles = noise(n * half, 2, 3);
    const [cos, sin] = [angles.map(Math.cos), angles.map(Math.sin)];
    const into = up(x, n, width);
    backend.kernels.rope(into, up(cos, n, half), up(sin, n, half), heads, headDim, false);
    const [y] = await backend.read([into]);
    expectClose(
      y ?? [],
      zip((i) => {
        const [r, c] = [Math.floor(i / width), i % width];
        if (c >= heads * headDim) return at(x, i);
        const j = c % headDim;
        const t = r * half + (j % half);
        return j < half
          ? at(x, i) * at(cos, t) - at(x, i + half) * at(sin, t)
          : at(x, i) * at(cos, t) + at(x, i - half) * at(sin, t);
      }, n * width),
    );
    backend.kernels.rope(into, up(cos, n, half), up(sin, n, half), heads, headDim, true);
    expectClose((await read(into))[0] ?? [], x);
  });
});

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
      const { out, lse } = backend.kernels.attention(x, x, ranges, shape);
      const grad = backend.kernels.attentionGrad(
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
    const got = backend.kernels.attention(up(q, 3, 11), up(cache, 9, 8), up(visible, 3, 4), shape);
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
    const got = backend.kernels.attention(up(q, 5, 8), up(cache, 90, 16), up(visible, 5, 4), shape);
    const expected = attention(q, cache, visible, shape);
    const [out, lse] = await read(got.out, got.lse);
    expectClose(out ?? [], expected.out);
    expectClose(lse ?? [], expected.lse);
  });

  it("refuses ranges outside the rows", () => {
    const shape = { heads: 1, kvHeads: 1, headDim: 4, qOffset: 0, kOffset: 0, vOffset: 0 };
    expect(() =>
      backend.kernels.attention(
        backend.zeros([1, 4]),
        backend.zeros([2, 4]),
        up(Int32Array.of(0, 3, 0, 0), 1, 4),
        shape,
      ),
    ).toThrow("outside the 2 rows");
  });
});

describe("copyRows", () => {
  it("copies a block of columns to the named rows and skips negative ones", async () => {
    const into = backend.zeros([6, 2]);
    backend.kernels.copyRows(
      up(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 3, 3),
      { offset: 1, count: 2 },
      up(Int32Array.of(3, -1, 0), 3),
      2,
      into,
    );
    expect(Array.from((await backend.read([into]))[0] ?? [])).toEqual([0, 0, 0, 0, 8, 9, 0, 0, 0, 0, 2, 3]);
    expect(() =>
      backend.kernels.copyRows(backend.zeros([1, 2]), { offset: 0, count: 2 }, up(Int32Array.of(5), 1), 1, into),
    ).toThrow("outside the 6 rows");
  });
});
