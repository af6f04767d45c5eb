import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../backend";
import { at, expectClose, noise, product, productTransposed, transposed } from "../testing/plain";
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
const plus = (a: ArrayLike<number>, b: (i: number) => number) => Float64Array.from(a, (x, i) => x + b(i));

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
    const [y] = await read(backend.kernels.linear(up(x, n, inputs), weight(), null, null));
    expectClose(y ?? [], expected);
    const [z] = await read(backend.kernels.linear(up(x, n, inputs), weight(), up(bias, outputs), up(dy, n, outputs)));
    expectClose(
      z ?? [],
      plus(expected, (i) => at(bias, i % outputs) + at(dy, i)),
    );
  });

  it("linearGradInput, with and without a gradient to add", async () => {
    const expected = product(dy, w, n, inputs, outputs);
    const [dx] = await read(backend.kernels.linearGradInput(up(dy, n, outputs), weight(), null));
    expectClose(dx ?? [], expected);
    const [sum] = await read(backend.kernels.linearGradInput(up(dy, n, outputs), weight(), up(x, n, inputs)));
    expectClose(
      sum ?? [],
      plus(expected, (i) => at(x, i)),
    );
  });

  it("linearGradWeight accumulates", async () => {
    const into = up(w, outputs, inputs);
    const intoBias = up(bias, outputs);
    backend.kernels.linearGradWeight(up(x, n, inputs), up(dy, n, outputs), into, intoBias);
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

describe("LoRA", () => {
  it.each([
    [5, 12, 3, 7, 2],
    [33, 40, 8, 16, 24],
  ] as const)("%i rows of %i columns, rank %i, block of %i from %i", async (n, width, rank, count, offset) => {
    const [y, h, b, scale] = [noise(n * width, 1), noise(n * rank, 2), noise(count * rank, 3), 0.7];
    const inBlock = (i: number) => i % width >= offset && i % width < offset + count;
    const block = y.filter((_, i) => inBlock(i));
    const columns = { offset, count };
    const into = up(y, n, width);
    backend.kernels.loraApply(into, columns, up(h, n, rank), up(b, count, rank), scale);
    const delta = productTransposed(h, b, n, count, rank);
    const [applied] = await read(into);
    expectClose(
      applied ?? [],
      plus(y, (i) => (inBlock(i) ? scale * at(delta, Math.floor(i / width) * count + (i % width) - offset) : 0)),
    );

    const intoB = up(b, count, rank);
    const dh = backend.kernels.loraApplyGrad(
      up(y, n, width),
      columns,
      up(h, n, rank),
      up(b, count, rank),
      scale,
      intoB,
    );
    const [gotDh, gotDb] = await read(dh, intoB);
    expectClose(
      gotDh ?? [],
      product(block, b, n, rank, count).map((v) => v * scale),
    );
    expectClose(
      gotDb ?? [],
      plus(product(transposed(block, n, count), h, count, rank, n), (i) => at(b, i) / scale).map((v) => v * scale),
    );
  });
});

describe("embedding", () => {
  it("takes table rows and feature rows, and gives their gradients back", async () => {
    const [v, f, d] = [6, 3, 5];
    const [table, features] = [noise(v * d, 1), noise(f * d, 2)];
    const ids = Int32Array.of(4, -1, 4, -3, 0, 5);
    const row = (id: number) =>
      Array.from(id < 0 ? features.subarray((-1 - id) * d, -id * d) : table.subarray(id * d, (id + 1) * d));
    const [y] = await read(
      backend.kernels.embedding(
        { format: "f32", out: v, in: d, values: up(table, v, d) },
        up(features, f, d),
        up(ids, 6),
      ),
    );
    expect(Array.from(y ?? [])).toEqual(Array.from(ids).flatMap(row));

    const dy = noise(6 * d, 3);
    const [dTable, dFeatures] = [up(table, v, d), up(features, f, d)];
    backend.kernels.embeddingGrad(up(dy, 6, d), up(ids, 6), dTable, dFeatures);
    const [gotTable, gotFeatures] = await read(dTable, dFeatures);
    const sumOf = (id: number, c: number) =>
      Array.from(ids).reduce((sum, other, n) => sum + (other === id ? at(dy, n * d + c) : 0), 0);
    expectClose(
      gotTable ?? [],
      plus(table, (i) => sumOf(Math.floor(i / d), i % d)),
    );
    expectClose(
      gotFeatures ?? [],
      plus(features, (i) => sumOf(-1 - Math.floor(i / d), i % d)),
    );
  });
});

/** [rows, width, vocabulary]; the last crosses a chunk of the vocabulary and a block of rows. */
describe.each([
  [3, 5, 7],
  [9, 16, 96],
  [130, 32, 150],
  [140, 24, 1030],
])("tokenLogprobs of %i rows, width %i, vocabulary %i", (n, d, v) => {
  const [hidden, head, dLogprob] = [noise(n * d, 1, 2), noise(v * d, 2), noise(n, 3)];
  const targets = Int32Array.from({ length: n }, (_, i) => (i % 5 === 2 ? -1 : (i * 37) % v));
  const temperature = 0.8;
  const logits = productTransposed(hidden, head, n, v, d).map((x) => x / temperature);
  const rows = Array.from({ length: n }, (_, i) => {
    const row = logits.subarray(i * v, (i + 1) * v);
    const top = Math.max(...row);
    const lse = top + Math.log(row.reduce((sum, l) => sum + Math.exp(l - top), 0));
    return { lse, p: row.map((l) => Math.exp(l - lse)), logprob: at(row, Math.max(0, at(targets, i))) - lse };
  });
  const skipped = (i: number) => at(targets, i) < 0;
  const weight = () => ({ format: "f32", out: v, in: d, values: up(head, v, d) }) as const;

  it("gives log-probability, log-sum-exp and entropy", async () => {
    const got = backend.kernels.tokenLogprobs(up(hidden, n, d), weight(), up(targets, n), temperature);
    const [logprob, lse, entropy] = await read(got.logprob, got.lse, got.entropy);
    expectClose(
      logprob ?? [],
      rows.map((r, i) => (skipped(i) ? 0 : r.logprob)),
    );
    expectClose(
      lse ?? [],
      rows.map((r, i) => (skipped(i) ? 0 : r.lse)),
    );
    expectClose(
      entropy ?? [],
      rows.map((r, i) => (skipped(i) ? 0 : -r.p.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0))),
    );
  });

  it("gives the gradients of the states and of the head", async () => {
    const dLogits = Float64Array.from({ length: n * v }, (_, i) => {
      const r = Math.floor(i / v);
      return skipped(r)
        ? 0
        : (at(dLogprob, r) * ((at(targets, r) === i % v ? 1 : 0) - at(rows[r]?.p ?? [], i % v))) / temperature;
    });
    const intoHead = up(head, v, d);
    const lse = up(
      Float32Array.from(rows, (r) => r.lse),
      n,
    );
    const dHidden = backend.kernels.tokenLogprobsGrad(
      up(hidden, n, d),
      weight(),
      up(targets, n),
      lse,
      up(dLogprob, n),
      temperature,
      intoHead,
    );
    const [got, gotHead] = await read(dHidden, intoHead);
    expectClose(got ?? [], product(dLogits, head, n, d, v), 5e-6);
    expectClose(
      gotHead ?? [],
      plus(product(transposed(dLogits, n, v), hidden, v, d, n), (i) => at(head, i)),
      5e-6,
    );
  });
});
