/** Random checkpoints: published sizes, the same bytes for the same seed, a tokenizer that knows every id. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { openWasmBackend } from "../tensor/wasm/backend";
import { InMemoryFiles } from "./checkpoint/checkpointFiles";
import { expectedTensors } from "./checkpoint/checkpointNames";
import { parseConfig } from "./checkpoint/config";
import { planBytes } from "./checkpoint/safetensorsWriter";
import { SHAPE_NAMES, shapeConfig } from "./checkpoint/shapes";
import { planShards } from "./checkpoint/shards";
import { Policy } from "./policy";
import { PolicyTokenizer } from "./processor/tokenizer";
import { type SyntheticDtype, SyntheticValues, syntheticFiles, syntheticTensors } from "./syntheticCheckpoint";

function folder(dtype: SyntheticDtype, seed: number, shardBytes: number): Map<string, Uint8Array> {
  const tensors = syntheticTensors("tiny", dtype);
  const values = new SyntheticValues(seed, dtype, tensors);
  const { shards, index } = planShards(tensors, shardBytes);
  const files = syntheticFiles("tiny", dtype);
  for (const { file, head, tensors: held } of shards)
    files.set(
      file,
      Buffer.concat([head, ...held.flatMap((tensor) => [...values.pieces(tensor)].map((piece) => piece.slice()))]),
    );
  if (index !== null) files.set("model.safetensors.index.json", new TextEncoder().encode(index));
  return files;
}
const digest = (files: Map<string, Uint8Array>): string =>
  [...files].reduce((hash, [name, bytes]) => hash.update(name).update(bytes), createHash("sha256")).digest("hex");

test("every shape is a configuration of its own, the published ones with the published number of parameters", () => {
  const counts = SHAPE_NAMES.map((shape) =>
    [...expectedTensors(parseConfig(shapeConfig(shape, "bfloat16"))).values()].reduce(
      (sum, size) => sum + size.reduce((a, b) => a * b, 1),
      0,
    ),
  );
  expect(counts).toEqual([counts[0], 3_754_622_976, 8_292_166_656, 33_452_718_336, 73_410_777_344]);
});

test("shards hold what fits, each tensor once, and the index says where", () => {
  const tensors = syntheticTensors("32b", "bf16");
  const { shards, index, bytes } = planShards(tensors, 5e9);
  expect(shards.length).toBeGreaterThan(13);
  for (const shard of shards)
    expect(shard.tensors.reduce((sum, tensor) => sum + planBytes(tensor), 0)).toBeLessThanOrEqual(5e9);
  const { weight_map, metadata }: { weight_map: Record<string, string>; metadata: { total_size: number } } = JSON.parse(
    index ?? "",
  );
  expect(Object.keys(weight_map).sort()).toEqual(tensors.map(({ name }) => name).sort());
  expect(metadata.total_size).toBe(bytes);
  expect(shards[0]?.file).toBe(`model-00001-of-${String(shards.length).padStart(5, "0")}.safetensors`);
});

test("the same seed gives the same bytes; shards change no value, number formats only round", async () => {
  expect(digest(folder("bf16", 3, 1e9))).toBe(digest(folder("bf16", 3, 1e9)));
  expect(digest(folder("bf16", 3, 1e9))).not.toBe(digest(folder("bf16", 4, 1e9)));
  const backend = await openWasmBackend();
  const values = async (dtype: SyntheticDtype, shardBytes: number): Promise<Map<string, Float32Array>> => {
    const policy = await Policy.load(backend, new InMemoryFiles(folder(dtype, 3, shardBytes)), { trainable: "none" });
    const all = await policy.parameters.readAll();
    policy.dispose();
    return all;
  };
  const whole = await values("f32", 1e9);
  for (const [name, value] of await values("f32", 1e5))
    expect(Buffer.from(value.buffer).equals(Buffer.from(whole.get(name)?.buffer ?? new ArrayBuffer(0))), name).toBe(
      true,
    );
  for (const [dtype, digits] of [
    ["bf16", 2 ** -8],
    ["f16", 2 ** -10],
  ] as const) {
    for (const [name, rounded] of await values(dtype, 1e5)) {
      const exact = whole.get(name) ?? [];
      expect(
        rounded.findIndex((value, i) => !(Math.abs(value - (exact[i] ?? NaN)) <= digits * Math.abs(value) + 1e-7)),
        `${name} in ${dtype}`,
      ).toBe(-1);
    }
  }
  const table = whole.get("model.embed_tokens.weight") ?? new Float32Array(1);
  const deviation = Math.sqrt(table.reduce((sum, value) => sum + value * value, 0) / table.length);
  expect(deviation).toBeCloseTo(0.02, 3);
  expect(new Set(whole.get("model.norm.weight"))).toEqual(new Set([1]));
  await backend.dispose();
});

test("any text is tokenised and given back, every id of the vocabulary decodes", { timeout: 60_000 }, async () => {
  for (const shape of ["tiny", "3b"] as const) {
    const tokenizer = await PolicyTokenizer.open(new InMemoryFiles(syntheticFiles(shape, "bf16")));
    const { text, imageTokenId } = parseConfig(shapeConfig(shape, "bfloat16"));
    expect(tokenizer.vocabSize).toBe(text.vocabSize);
    const sentence = "<think> 2 × 3 = 6 </think>\n<answer>six ½ 六</answer>";
    expect(tokenizer.decode(tokenizer.encode(sentence))).toBe(sentence);
    expect([...tokenizer.encode("<|image_pad|><|im_end|>")]).toEqual([imageTokenId, text.eosTokenIds[0]]);
    for (let id = 0; id < text.vocabSize; id += shape === "tiny" ? 1 : 997)
      expect(tokenizer.decode([id]).length).toBeGreaterThan(0);
  }
});
