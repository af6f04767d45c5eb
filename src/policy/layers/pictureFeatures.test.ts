/**
 * Features of pictures are computed once and kept while they fit, dropped when the tower changes, and never kept while
 * the tower is trained.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import type { ModelOptions, VisionLanguageModel } from "../model";
import { prompt, smallModel } from "../testing/syntheticPrompts";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const PICTURE = 4 * 16 * 32; // bytes: 16 cells of 32 values
const keeping = (pictures: number): ModelOptions => ({
  trainable: "language",
  pictureFeatures: { bytes: pictures * PICTURE, fromCells: 16 },
});

/** Features of pictures of these phases, each in a new prompt, and the kernels that were called for them. */
async function bank(
  model: VisionLanguageModel,
  phases: readonly number[],
): Promise<{ values: Float32Array; dispatches: number }> {
  const before = backend.counters.dispatches;
  const made = model.featureBank(phases.map((phase) => prompt(model, phase, [10, 11])));
  if (made === null) throw new Error("no pictures");
  const dispatches = backend.counters.dispatches - before;
  const [values] = await backend.read([made.tensor]);
  made.dispose();
  return { values: Float32Array.from(values ?? []), dispatches };
}

it("keeps what was used last, within its bytes, with the same values", async () => {
  const model = smallModel(backend, keeping(2));
  const plain = smallModel(backend, { trainable: "language" });
  const first = await bank(model, [1, 2]);
  expect(first.values).toEqual((await bank(plain, [1, 2])).values);
  const tower = first.dispatches / 2; // copying rows is not a kernel on this backend
  expect(tower).toBeGreaterThan(10);
  expect(await bank(model, [2, 1])).toMatchObject({ dispatches: 0 });
  expect((await bank(model, [2, 1])).values).toEqual((await bank(plain, [2, 1])).values);
  expect((await bank(model, [3])).dispatches).toBe(tower); // 2, used least recently, goes
  expect((await bank(model, [1])).dispatches).toBe(0);
  expect((await bank(model, [2])).dispatches).toBe(tower);
  expect((await bank(model, [4, 5, 6])).values).toEqual((await bank(plain, [4, 5, 6])).values); // more than fit

  const kept = backend.memoryBytes();
  await bank(model, [7, 8, 9]);
  expect(backend.memoryBytes()).toBe(kept);

  const name = "visual.merger.mlp.2.bias";
  await bank(model, [1]);
  model.parameters.write(name, new Float32Array(model.parameters.shapeOf(name)[0] ?? 0).fill(5));
  expect((await bank(model, [1])).values).not.toEqual((await bank(plain, [1])).values);
  model.dispose();
  plain.dispose();
});

it("keeps nothing of a tower that is trained, nor of small pictures", async () => {
  for (const options of [
    { ...keeping(9), trainable: "all" as const },
    { ...keeping(9), pictureFeatures: { bytes: 9 * PICTURE, fromCells: 17 } },
  ]) {
    const model = smallModel(backend, options);
    const { dispatches } = await bank(model, [1]);
    expect((await bank(model, [1])).dispatches).toBe(dispatches);
    expect(dispatches).toBeGreaterThan(10);
    model.dispose();
  }
});
