/** What is written opens again as the same policy: the folder, an adapter, and frozen weights in packed formats. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Backend } from "../tensor/backend";
import { Tape } from "../tensor/tape";
import { openWasmBackend } from "../tensor/wasm/backend";
import { InMemoryFiles } from "./checkpoint/checkpointFiles";
import { Safetensors } from "./checkpoint/safetensors";
import { nanoFiles } from "./create";
import { LORA_TARGETS } from "./layers/lora";
import { type LoadOptions, Policy } from "./policy";
import { relativeError } from "./verify/verify";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const create = (): Promise<Policy> => Policy.create(backend, nanoFiles(["what", "?", "a", "b", "c"]), { seed: 1 });
/** Names of files that are not in both folders or differ in a byte (comparing bytes with toEqual takes minutes). */
function differing(a: ReadonlyMap<string, Uint8Array>, b: ReadonlyMap<string, Uint8Array>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter(
    (name) => Buffer.compare(a.get(name) ?? new Uint8Array(0), b.get(name) ?? new Uint8Array(0)) !== 0,
  );
}

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

/** Log-probabilities of a response to a picture of stripes. */
async function logprobs(policy: Policy, train: boolean): Promise<Float32Array> {
  const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 29) % 256);
  const batch = policy.packBatch([
    {
      prompt: policy.encodePrompt("what ?", { width: 32, height: 32, pixels }),
      responses: [policy.encodeResponse("a b a c")],
    },
  ]);
  const tape = new Tape(backend, train);
  const { logprob } = policy.responseLogprobs(tape, batch, { temperature: 1, trainVision: false });
  if (train) {
    const gradient = backend.upload(new Float32Array(batch.tokenCount).fill(-1), [batch.tokenCount]);
    policy.parameters.zeroGrad();
    tape.backward(logprob, gradient);
    const { gradSquares, refused } = policy.parameters.adamw({
      learningRate: 0.05,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      updateCount: 1,
      maxGradNorm: 1,
    });
    for (const tensor of [gradSquares, refused]) tensor.dispose();
    gradient.dispose();
  }
  const [values] = await backend.read([logprob]);
  tape.dispose();
  batch.dispose();
  return Float32Array.from(values ?? []);
}

it("a folder written and opened again is the same policy, to the bit", { timeout: 60_000 }, async () => {
  const policy = await create();
  const files = await policy.toFiles();
  expect([...files.keys()].sort()).toEqual([
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  const again = await Policy.load(backend, new InMemoryFiles(files));
  expect(await logprobs(again, false)).toEqual(await logprobs(policy, false));
  expect(differing(await again.toFiles(), files)).toEqual([]);
  policy.dispose();
  again.dispose();
});

it("names tensors as published checkpoints do and says float32 in config.json", async () => {
  const policy = await create();
  const files = await policy.toFiles();
  const weights = Safetensors.open(files.get("model.safetensors") ?? new Uint8Array(0), "model.safetensors");
  expect(weights.names()).toContain("model.layers.3.self_attn.q_proj.bias");
  expect(weights.names()).toContain("visual.merger.mlp.2.weight");
  expect(weights.names()).not.toContain("lm_head.weight"); // tied
  expect(weights.entry("visual.patch_embed.proj.weight").shape).toEqual([64, 3, 2, 4, 4]);
  expect(JSON.parse(text(files.get("config.json")))).toMatchObject({
    model_type: "qwen2_5_vl",
    dtype: "float32",
    text_config: { hidden_size: 128 },
  });
  expect(JSON.parse(text(files.get("generation_config.json")))).toMatchObject({
    temperature: 1,
    eos_token_id: 2,
    pad_token_id: 0,
  });
  policy.dispose();
});

it("an adapter trains alone, is written as PEFT does, and opens again as it was", async () => {
  const base = await create();
  const folder = new InMemoryFiles(await base.toFiles());
  const lora = { rank: 4, alpha: 8, rankStabilised: true, targets: LORA_TARGETS, baseModel: "nano" };
  const tuned = await Policy.load(backend, folder, { lora, seed: 5 });
  expect(tuned.model.lora?.blocks(0, "mlp.down_proj.weight")[0]?.scale).toBe(4); // α / √r
  expect(tuned.parameters.trainableCount).toBe(4 * 4 * (4 * (128 + 128) + 2 * (128 + 320) + (320 + 128)));
  const before = await logprobs(tuned, true); // B = 0: the adapter changes nothing yet
  expect(relativeError(before, await logprobs(base, false))).toBeLessThan(1e-6);
  const trained = await logprobs(tuned, false);
  expect(relativeError(trained, before)).toBeGreaterThan(1e-3);
  expect(differing(await tuned.toFiles(), await base.toFiles())).toEqual([]); // the base stayed as it was

  const adapter = await tuned.adapterFiles();
  expect(JSON.parse(text(adapter.get("adapter_config.json")))).toMatchObject({
    peft_type: "LORA",
    r: 4,
    lora_alpha: 8,
    use_rslora: true,
    task_type: "CAUSAL_LM",
  });
  const again = await Policy.load(backend, folder, { adapter: new InMemoryFiles(adapter) });
  expect(await logprobs(again, false)).toEqual(trained);
  expect(differing(await again.adapterFiles(), adapter)).toEqual([]);
  for (const policy of [base, tuned, again]) policy.dispose();
});

it("refuses an adapter that does not fit", async () => {
  const base = await create();
  const folder = new InMemoryFiles(await base.toFiles());
  const lora = { rank: 4, alpha: 8, rankStabilised: false, targets: ["q_proj"] as const, baseModel: null };
  const tuned = await Policy.load(backend, folder, { lora });
  const files = new Map(await tuned.adapterFiles());
  const open = (config: string): Promise<Policy> =>
    Policy.load(backend, folder, {
      adapter: new InMemoryFiles(new Map(files).set("adapter_config.json", new TextEncoder().encode(config))),
    });
  const config: Record<string, unknown> = JSON.parse(text(files.get("adapter_config.json")));
  await expect(open(JSON.stringify({ ...config, r: 2 }))).rejects.toThrow(/lora_A\.weight is \[4, 128\], expected \[2/);
  await expect(open(JSON.stringify({ ...config, use_dora: true }))).rejects.toThrow(/use_dora/);
  await expect(open("{")).rejects.toThrow("not valid JSON");
  base.dispose();
  tuned.dispose();
});

it("frozen weights may be packed: f16 is close, four bits roughly right", async () => {
  const policy = await create();
  const folder = new InMemoryFiles(await policy.toFiles());
  const exact = await logprobs(policy, false);
  const packed = async (options: LoadOptions): Promise<number> => {
    const other = await Policy.load(backend, folder, options);
    const error = relativeError(await logprobs(other, false), exact);
    other.dispose();
    return error;
  };
  const half = await packed({ trainable: "none", frozenFormat: "f16" });
  const four = await packed({ trainable: "none", frozenFormat: "int4" });
  expect(half).toBeGreaterThan(0);
  expect(half).toBeLessThan(1e-3);
  expect(four).toBeLessThan(0.1);
  policy.dispose();
});
