import { afterAll, beforeAll, describe, it } from "vitest";
import type { Backend } from "../../backend";
import { at, expectClose, noise } from "../../testing/plain";
import { openWasmBackend } from "../backend";

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
