import { describe, it } from "vitest";
import { at, expectClose, noise } from "../../testing/plain";
import { wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

const zip = (f: (i: number) => number, count: number) => Float64Array.from({ length: count }, (_, i) => f(i));

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
    wasm.backend.kernels.rope(into, up(cos, n, half), up(sin, n, half), heads, headDim, false);
    const [y] = await wasm.backend.read([into]);
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
    wasm.backend.kernels.rope(into, up(cos, n, half), up(sin, n, half), heads, headDim, true);
    expectClose((await read(into))[0] ?? [], x);
  });
});
