import { describe, expect, it } from "vitest";
import { at, expectClose, noise } from "../../testing/plain";
import { plus, wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

describe("embedding", () => {
  it("takes table rows and feature rows, and gives their gradients back", async () => {
    const [v, f, d] = [6, 3, 5];
    const [table, features] = [noise(v * d, 1), noise(f * d, 2)];
    const ids = Int32Array.of(4, -1, 4, -3, 0, 5);
    const row = (id: number) =>
      Array.from(id < 0 ? features.subarray((-1 - id) * d, -id * d) : table.subarray(id * d, (id + 1) * d));
    const [y] = await read(
      wasm.backend.kernels.embedding(
        { format: "f32", out: v, in: d, values: up(table, v, d) },
        up(features, f, d),
        up(ids, 6),
      ),
    );
    expect(Array.from(y ?? [])).toEqual(Array.from(ids).flatMap(row));

    const dy = noise(6 * d, 3);
    const [dTable, dFeatures] = [up(table, v, d), up(features, f, d)];
    wasm.backend.kernels.embeddingGrad(up(dy, 6, d), up(ids, 6), dTable, dFeatures);
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
