import { describe, expect, it } from "vitest";
import { wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up } = wasm;

describe("copyRows", () => {
  it("copies a block of columns to the named rows and skips negative ones", async () => {
    const into = wasm.backend.zeros([6, 2]);
    wasm.backend.kernels.copyRows(
      up(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), 3, 3),
      { offset: 1, count: 2 },
      up(Int32Array.of(3, -1, 0), 3),
      2,
      into,
    );
    expect(Array.from((await wasm.backend.read([into]))[0] ?? [])).toEqual([0, 0, 0, 0, 8, 9, 0, 0, 0, 0, 2, 3]);
    expect(() =>
      wasm.backend.kernels.copyRows(
        wasm.backend.zeros([1, 2]),
        { offset: 0, count: 2 },
        up(Int32Array.of(5), 1),
        1,
        into,
      ),
    ).toThrow("outside the 6 rows");
  });
});
