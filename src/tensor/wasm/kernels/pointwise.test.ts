import { describe, expect, it } from "vitest";
import { at, expectClose, noise } from "../../testing/plain";
import { wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

const zip = (f: (i: number) => number, count: number) => Float64Array.from({ length: count }, (_, i) => f(i));

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
    const [y] = await read(wasm.backend.kernels.gelu(up(x, 1003)));
    const [dx] = await read(wasm.backend.kernels.geluGrad(up(x, 1003), up(dy, 1003)));
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
    const [y] = await read(wasm.backend.kernels.swiglu(up(gateUp, n, 2 * f)));
    expectClose(
      y ?? [],
      zip((i) => g(i) * sigmoid(g(i)) * u(i), n * f),
    );
    const [grad] = await read(wasm.backend.kernels.swigluGrad(up(gateUp, n, 2 * f), up(d, n, f)));
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
    const [y] = await read(wasm.backend.kernels.gelu(up(Float32Array.of(1, NaN, 2), 3)));
    expect(Array.from(y ?? [], Number.isNaN)).toEqual([false, true, false]);
  });

  it("adds and fills any number of elements", async () => {
    for (const n of [1, 2, 3, 4, 7, 64]) {
      const a = noise(n, 1);
      const sum = wasm.backend.kernels.add(up(a, n), up(a, n));
      const filled = wasm.backend.zeros([n + 1]);
      wasm.backend.kernels.fill(wasm.backend.view(filled, 0, [n]), 3);
      const [s, f] = await read(sum, filled);
      expect(s).toEqual(a.map((v) => v + v));
      expect(Array.from(f ?? [])).toEqual([...Array<number>(n).fill(3), 0]);
    }
  });
});
