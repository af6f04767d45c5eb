import { describe, it } from "vitest";
import { at, expectClose, noise, product, productTransposed, transposed } from "../../testing/plain";
import { plus, wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up, read } = wasm;

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
    wasm.backend.kernels.loraApply(into, columns, up(h, n, rank), up(b, count, rank), scale);
    const delta = productTransposed(h, b, n, count, rank);
    const [applied] = await read(into);
    expectClose(
      applied ?? [],
      plus(y, (i) => (inBlock(i) ? scale * at(delta, Math.floor(i / width) * count + (i % width) - offset) : 0)),
    );

    const intoB = up(b, count, rank);
    const dh = wasm.backend.kernels.loraApplyGrad(
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
