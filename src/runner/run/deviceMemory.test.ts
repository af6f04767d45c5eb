/** Whether layers are recomputed, and which runs are refused: decided from config.json alone. */
import { expect, test } from "vitest";
import { InMemoryFiles } from "../../policy/checkpoint/checkpointFiles";
import { type ShapeName, shapeConfig } from "../../policy/checkpoint/shapes";
import { configure } from "../../training/configure";
import { defaultSettings } from "../../training/settings";
import { fittingOptions, recomputingOptions } from "./deviceMemory";
import { runConfigSchema } from "./runConfig";
import { planOf } from "./runPlan";

const files = (shape: ShapeName): InMemoryFiles =>
  new InMemoryFiles(
    new Map([["config.json", new TextEncoder().encode(JSON.stringify(shapeConfig(shape, "bfloat16")))]]),
  );
const plan = (config: object) => planOf(runConfigSchema.parse({ policy: "policies/own", ...config }));
const settings = configure(defaultSettings, { microBatchRows: 1, maxNewTokens: 1024 });
const adapter = { packing: "f16", lora: { rank: 16 } };

test("recomputation is a matter of size, unless the run says", async () => {
  const chosen = async (shape: ShapeName, more: object): Promise<boolean | undefined> =>
    (await recomputingOptions(plan(more), settings, files(shape))).recompute;
  expect(await chosen("tiny", {})).toBe(false);
  expect(await chosen("3b", adapter)).toBe(true);
  expect(await chosen("tiny", { recompute: "layers" })).toBe(true);
  expect(await chosen("3b", { ...adapter, recompute: "none" })).toBe(false);
});

test("what fits passes, with its adapter", async () => {
  expect(await fittingOptions(plan({ ...adapter, memory: "24GB" }), settings, files("3b"), "reference")).toMatchObject({
    recompute: true,
    frozenFormat: "f16",
    lora: { rank: 16 },
  });
  expect(await fittingOptions(plan({}), settings, files("tiny"), "wasm")).toEqual({
    trainable: "language",
    recompute: false,
    maxPixels: null,
    allowNonFinite: false,
  });
});

test.each<[string, object, object, "wasm" | "reference", RegExp]>([
  [
    "a full-size policy trained in full, by its buffers",
    {},
    {},
    "wasm",
    new RegExp(
      "policies.own cannot be trained with these settings on SIMD.*its 3,085,938,688 trained values take 12.3 GB " +
        "in one buffer, but a buffer holds at most 4.29 GB; set lora.rank",
    ),
  ],
  [
    "and by the memory the run names",
    { memory: "24GB" },
    {},
    "reference",
    /does not fit on plain TensorFlow.js: .* at least 5\d.\d GB \(2.6\d GB of frozen.* 49.4 GB for 3,085,938,688/,
  ],
  [
    "the copy of a KL term",
    { memory: "60GB" },
    { grpo: { beta: 0.1 } },
    "reference",
    /needs at least 6\d.\d GB .*15.0 GB for the KL reference/,
  ],
  [
    "activations, where recomputation would help",
    { ...adapter, memory: "10GB", recompute: "none" },
    {},
    "reference",
    /to sample or update\), 10.0 GB are available; .*set recompute to layers/,
  ],
])("%s", async (_what, more, patch, backend, message) => {
  await expect(fittingOptions(plan(more), configure(settings, patch), files("3b"), backend)).rejects.toThrow(message);
});

test("a size is a size", () => {
  expect(() => plan({ memory: "much" })).toThrow(/expected a size such as/);
});
