import { describe, it } from "vitest";
import { at, expectClose, noise, product, productTransposed, transposed } from "../../testing/plain";
import { plus, wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

/** [rows, in, out]: tile multiples, tails of every kind, the tiny golden sizes, one slab and several. */
const sizes: [number, number, number][] = [
  [1, 1, 1],
  [1, 128, 384],
  [3, 5, 7],
  [4, 8, 8],
  [7, 48, 20],
  [13, 33, 9],
  [64, 128, 150],
  [130, 320, 128],
  [6, 1100, 12],
  [300, 24, 40],
];

describe.each(sizes)("products of %i rows, %i inputs, %i outputs", (n, inputs, outputs) => {
  const x = noise(n * inputs, 1);
  const w = noise(outputs * inputs, 2);
  const dy = noise(n * outputs, 3);
  const bias = noise(outputs, 4);
  const weight = () => ({ format: "f32", out: outputs, in: inputs, values: up(w, outputs, inputs) }) as const;

  it("linear, with and without bias and residual", async () => {
    const expected = productTransposed(x, w, n, outputs, inputs);
    const [y] = await read(wasm.backend.kernels.linear(up(x, n, inputs), weight(), null, null));
    expectClose(y ?? [], expected);
    const [z] = await read(
      wasm.backend.kernels.linear(up(x, n, inputs), weight(), up(bias, outputs), up(dy, n, outputs)),
    );
    expectClose(
      z ?? [],
      plus(expected, (i) => at(bias, i % outputs) + at(dy, i)),
    );
  });

  it("linearGradInput, with and without a gradient to add", async () => {
    const expected = product(dy, w, n, inputs, outputs);
    const [dx] = await read(wasm.backend.kernels.linearGradInput(up(dy, n, outputs), weight(), null));
    expectClose(dx ?? [], expected);
    const [sum] = await read(wasm.backend.kernels.linearGradInput(up(dy, n, outputs), weight(), up(x, n, inputs)));
    expectClose(
      sum ?? [],
      plus(expected, (i) => at(x, i)),
    );
  });

  it("linearGradWeight accumulates", async () => {
    const into = up(w, outputs, inputs);
    const intoBias = up(bias, outputs);
    wasm.backend.kernels.linearGradWeight(up(x, n, inputs), up(dy, n, outputs), into, intoBias);
    const [dw, db] = await read(into, intoBias);
    expectClose(
      dw ?? [],
      plus(product(transposed(dy, n, outputs), x, outputs, inputs, n), (i) => at(w, i)),
    );
    const columns = productTransposed(new Float32Array(n).fill(1), transposed(dy, n, outputs), 1, outputs, n);
    expectClose(
      db ?? [],
      plus(columns, (i) => at(bias, i)),
    );
  });
});
