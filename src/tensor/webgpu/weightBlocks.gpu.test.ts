/** Weights larger than one binding: worked through in blocks of rows, with the results of a whole one. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Weight } from "../kernels";
import { randomUniform } from "../random";
import { openReferenceBackend } from "../reference/backend";
import { conformanceCases } from "../testing/conformance/conformance";
import type { WebGpuBackend } from "./backend";
import { rowBlocks } from "./kernels/weightAccess";
import { openNodeWebGpuBackend } from "./node";

describe.each([
  { kernelsFor: "software", only: /^(linear|embedding|tokenLogprobs)/ },
  { kernelsFor: "gpu", only: /^(linear|embedding)\S* (f16|int4|\[70)/ },
] as const)("in blocks of 64 rows, kernels for a $kernelsFor adapter", ({ kernelsFor, only }) => {
  let backend: WebGpuBackend;
  const reference = openReferenceBackend();
  beforeAll(async () => {
    backend = await openNodeWebGpuBackend({ kernelsFor, weightBindingBytes: 1 });
  });
  afterAll(() => backend.dispose());

  for (const c of conformanceCases().filter(({ name }) => only.test(name))) {
    it(c.name, { timeout: 120_000 }, async () => expect((await c.run(backend, await reference)).failures).toEqual([]));
  }
});

it("blocks cover the rows once, begin at multiples of 64, and fit the binding", () => {
  expect(rowBlocks(100, 4, 400)).toEqual([{ first: 0, rows: 100 }]);
  expect(rowBlocks(200, 1000, 128_500)).toEqual([
    { first: 0, rows: 128 },
    { first: 128, rows: 72 },
  ]);
  expect(rowBlocks(130, 1000, 1)).toEqual([
    { first: 0, rows: 64 },
    { first: 64, rows: 64 },
    { first: 128, rows: 2 },
  ]);
});

it("a head beyond one binding of 128 MiB, all that lavapipe binds", { timeout: 120_000 }, async () => {
  const backend = await openNodeWebGpuBackend({ weightBindingBytes: 2 ** 27 });
  const limit = backend.dispatcher.weightBindingBytes;
  const [columns, rows] = [1024, Math.floor(limit / 2048) + 200]; // f16: 2 KiB per row
  const one = 0x3c00; // 1 in f16
  const packed = backend.zeros([rows, columns / 2], "int32");
  // Row r has a 1 in column r mod 1024, so that x · Wᵀ picks x, and dy · W sums dy's columns of one remainder.
  for (let first = 0; first < rows; first += 8192) {
    const count = Math.min(8192, rows - first);
    const words = new Int32Array((count * columns) / 2);
    for (let r = 0; r < count; r++) {
      const column = (first + r) % columns;
      words[r * (columns / 2) + (column >> 1)] = one << (16 * (column & 1));
    }
    backend.write(packed, words, (first * columns) / 2);
  }
  const weight: Weight = { format: "f16", out: rows, in: columns, packed };
  const x = Float32Array.from({ length: columns }, (_, i) => randomUniform(1, 2, 3, i));
  const dy = new Float32Array(rows);
  for (const row of [0, 1023, 1024, rows - 1]) dy[row] = 1 + row;
  const [y, dx, picked] = await backend.read([
    backend.kernels.linear(backend.upload(x, [1, columns]), weight, null, null),
    backend.kernels.linearGradInput(backend.upload(dy, [1, rows]), weight, null),
    backend.kernels.embedding(weight, null, backend.upload(Int32Array.of(rows - 1, 5), [2])),
  ]);
  expect(y?.every((value, row) => value === x[row % columns])).toBe(true);
  const expected = new Float32Array(columns);
  dy.forEach((value, row) => (expected[row % columns] = (expected[row % columns] ?? 0) + value));
  expect(dx).toEqual(expected);
  expect([picked?.indexOf(1), picked?.lastIndexOf(1)]).toEqual([(rows - 1) % columns, columns + 5]);
  await backend.dispose();
});
