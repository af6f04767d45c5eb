/** Weights that are not finite are found in every number format, and named. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { InMemoryFiles } from "./checkpoint/checkpointFiles";
import { toBfloat16, toFloat16 } from "./checkpoint/safetensorsValues";
import { writeSafetensors } from "./checkpoint/safetensorsWriter";
import { type LoadOptions, Policy } from "./policy";
import { syntheticFiles, syntheticTensors } from "./syntheticCheckpoint";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const NAME = "model.layers.1.mlp.down_proj.weight"; // [64, 160]
const STORED = {
  F32: (values: Float32Array): Uint8Array => new Uint8Array(values.buffer),
  F16: (values: Float32Array): Uint8Array => toFloat16(values, "test"),
  BF16: toBfloat16,
};

function folder(dtype: keyof typeof STORED, changed: ReadonlyMap<number, number>): InMemoryFiles {
  const tensors = syntheticTensors("tiny", "f32").map(({ name, shape }) => {
    const values = new Float32Array(shape.reduce((product, n) => product * n, 1)).fill(0.25);
    if (name === NAME) for (const [at, value] of changed) values[at] = value;
    return { name, shape, dtype, values: STORED[dtype](values) };
  });
  return new InMemoryFiles(syntheticFiles("tiny", "f32").set("model.safetensors", writeSafetensors(tensors)));
}

const load = (files: InMemoryFiles, options: LoadOptions = {}): Promise<Policy> =>
  Policy.load(backend, files, { trainable: "none", ...options });

describe.each(["F32", "F16", "BF16"] as const)("%s", (dtype) => {
  it.each([
    ["NaN", NaN],
    ["Infinity", Infinity],
    ["-Infinity", -Infinity],
  ])("finds %s, and loads it where that is wanted", async (spelled, value) => {
    const files = folder(
      dtype,
      new Map([
        [3 * 160 + 7, value],
        [9000, value],
      ]),
    );
    await expect(load(files)).rejects.toThrow(
      `model.safetensors: tensor ${NAME}: 2 of 10240 values are not finite; the first is ${spelled} at [3, 7].`,
    );
    const policy = await load(files, { allowNonFinite: true });
    expect((await policy.parameters.read(NAME))[3 * 160 + 7]).toBe(value);
    policy.dispose();
  });

  it("takes the largest and smallest finite values", async () => {
    const policy = await load(
      folder(
        dtype,
        new Map([
          [0, 65504],
          [1, -65504],
          [2, 2 ** -24],
          [3, -0],
        ]),
      ),
    );
    policy.dispose();
  });
});

it("a finite weight that a packing would make infinite is named, with the packing to choose", async () => {
  const files = folder("BF16", new Map([[161, 2 ** 17]]));
  await expect(load(files, { frozenFormat: "f16" })).rejects.toThrow(
    /1 of 10240 values exceed 65504, .*the first is 131072 at \[1, 1\]\. Load it with --packing f32/,
  );
  (await load(files)).dispose();
});
