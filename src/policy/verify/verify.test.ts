/** The comparison notices what is wrong, and names it. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { openDirectory } from "../checkpoint/checkpointDirectory";
import { Safetensors } from "../checkpoint/safetensors";
import { Policy } from "../policy";
import { relativeError, verifyModel } from "./verify";

const golden = (path: string): string => new URL(`../golden/tiny_tied/${path}`, import.meta.url).pathname;

it("a changed weight shows in every tensor that depends on it", async () => {
  const backend = await openWasmBackend();
  const policy = await Policy.load(backend, await openDirectory(golden("")));
  const reference = Safetensors.open(readFileSync(golden("reference.safetensors")), "reference.safetensors");
  const bias = await policy.parameters.read("visual.merger.mlp.2.bias");
  policy.parameters.write(
    "visual.merger.mlp.2.bias",
    bias.map((b) => b + 0.01),
  );
  const wrong = (await verifyModel(policy.model, reference))
    .filter((report) => !report.ok)
    .map((report) => report.name);
  expect(wrong).toEqual(
    expect.arrayContaining(["image_features", "logits", "loss", "grad.visual.merger.mlp.2.weight"]),
  );
  expect(wrong).not.toContain("position_ids");
  expect(() => policy.encodePrompt("?", { width: 1, height: 1, pixels: new Uint8Array(3) })).toThrow(
    "no tokenizer.json",
  );
  await backend.dispose();
});

it("errors are relative to the largest value, and infinite where a number is not one", () => {
  expect(relativeError([1, 2.5], [1, 2])).toBe(0.25);
  expect(relativeError([0, 0], [0, 0])).toBe(0);
  expect(relativeError([NaN], [1])).toBe(Infinity);
  expect(relativeError([1], [1, 2])).toBe(Infinity);
});
