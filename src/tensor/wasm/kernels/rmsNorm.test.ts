import { describe, it } from "vitest";
import { at, expectClose, noise } from "../../testing/plain";
import { wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

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
    const [y] = await read(wasm.backend.kernels.rmsNorm(up(x, n, d), up(w, d), eps));
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
      wasm.backend.kernels.rmsNormGrad(up(x, n, d), up(w, d), up(dy, n, d), eps, up(residual, n, d), into),
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
    const [plain] = await read(wasm.backend.kernels.rmsNormGrad(up(x, n, d), up(w, d), up(dy, n, d), eps, null, null));
    expectClose([...(plain ?? []), scale], [...expected, scale], 3e-6);
  });
});
