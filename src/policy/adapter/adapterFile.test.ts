/**
 * Adapters as PEFT 0.21 saves them (golden/adapters, with PEFT's own logits), opened and merged; adapters that compute
 * something else, refused with the reason.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { openDirectory } from "../checkpoint/checkpointDirectory";
import { type CheckpointFiles, InMemoryFiles } from "../checkpoint/checkpointFiles";
import { Safetensors } from "../checkpoint/safetensors";
import { readFloat32 } from "../checkpoint/safetensorsValues";
import { type TensorToWrite, writeSafetensors } from "../checkpoint/safetensorsWriter";
import { mergedFolder } from "../merge";
import { type LoadOptions, Policy } from "../policy";
import { verifyModel } from "../verify/verify";
import { AdapterFile } from "./adapterFile";

const WEIGHTS = "adapter_model.safetensors";
const golden = (path: string): Promise<CheckpointFiles> =>
  openDirectory(new URL(`../golden/${path}`, import.meta.url).pathname);
const opened = async (files: CheckpointFiles, name: string): Promise<Safetensors> =>
  Safetensors.open(await files.read(name), name);
const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

/** Error of the logits against those that PEFT computed, of a policy opened with these options. */
async function logitsError(base: CheckpointFiles, inputs: string, outputs: string, options: LoadOptions) {
  const policy = await Policy.load(backend, base, { adapterAsIs: true, ...options });
  const reports = await verifyModel(
    policy.model,
    await opened(await golden(inputs), "reference.safetensors"),
    await opened(await golden(outputs), "reference.safetensors"),
  );
  policy.dispose();
  return reports.find(({ name }) => name === "logits")?.error ?? Infinity;
}

async function merged(base: CheckpointFiles, adapter: CheckpointFiles): Promise<InMemoryFiles> {
  const files = new Map<string, Uint8Array>();
  for (const file of await mergedFolder(base, adapter)) {
    const pieces: Uint8Array[] = [];
    for await (const piece of file.pieces()) pieces.push(piece);
    files.set(file.path, new Uint8Array(Buffer.concat(pieces)));
  }
  return new InMemoryFiles(files);
}

describe.each([
  // Ranks and α by pattern, two layers of three, rsLoRA.
  ["patterns", "tiny_untied"],
  // The tower and its merger as well.
  ["all_linear", "tiny_tied"],
  ["head", "tiny_untied"],
  // Other projections in each layer.
  ["full_paths", "tiny_tied"],
])("PEFT's %s", (name, base) => {
  it("computes PEFT's logits, opened and merged", async () => {
    const [files, adapter] = [await golden(base), await golden(`adapters/${name}`)];
    expect(await logitsError(files, base, `adapters/${name}`, { adapter })).toBeLessThan(3e-5);
    expect(await logitsError(await merged(files, adapter), base, `adapters/${name}`, {})).toBeLessThan(3e-5);
  });
});

/** The golden adapter's tensors, under the names that `rename` gives them, with keys of its configuration changed. */
async function variant(
  base: string,
  changes: Readonly<Record<string, unknown>> = {},
  rename: (name: string) => string = (name) => name,
  more: readonly TensorToWrite[] = [],
): Promise<InMemoryFiles> {
  const folder = await golden(`${base}/lora`);
  const config = JSON.parse(new TextDecoder().decode(await folder.read("adapter_config.json")));
  const file = await opened(folder, WEIGHTS);
  const tensors = file
    .names()
    .map((name) => ({ name: rename(name), shape: file.entry(name).shape, values: readFloat32(file, name) }));
  return new InMemoryFiles(
    new Map([
      ["adapter_config.json", encode({ ...config, ...changes })],
      [WEIGHTS, writeSafetensors([...tensors, ...more])],
    ]),
  );
}

const PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const TOWER = ["qkv", "attn.proj", "mlp.0", "mlp.2"];

describe("the tensors say what is adapted, however the configuration names it", () => {
  it.each<readonly [string, Readonly<Record<string, unknown>>]>([
    ["a list", { target_modules: PROJECTIONS }],
    ["a list that matches the tower too", { target_modules: PROJECTIONS, exclude_modules: null }],
    ["a regular expression", { target_modules: ".*language_model.*\\.(q_proj|k_proj)", exclude_modules: null }],
    ["all-linear", { target_modules: "all-linear", exclude_modules: null }],
    ["all-linear, as PEFT writes it out", { target_modules: [...PROJECTIONS, ...TOWER], exclude_modules: null }],
    ["suffixes", { target_modules: ["self_attn.q_proj", "mlp.down_proj"] }],
    ["paths", { target_modules: ["model.language_model.layers.0.self_attn.q_proj"] }],
    ["layers", { layers_to_transform: [0, 1], layers_pattern: "layers" }],
    ["one layer", { layers_to_transform: 1 }],
    ["excluded modules in a list", { exclude_modules: ["visual", "lm_head"] }],
    ["a Gaussian start", { init_lora_weights: "gaussian" }],
    ["EVA", { init_lora_weights: "eva", eva_config: { rho: 2 } }],
  ])("%s", async (_, changes) => {
    const base = await golden("tiny_tied");
    const adapter = await variant("tiny_tied", changes);
    expect(await logitsError(base, "tiny_tied", "tiny_tied/lora", { adapter })).toBeLessThan(3e-5);
    expect(await logitsError(await merged(base, adapter), "tiny_tied", "tiny_tied/lora", {})).toBeLessThan(3e-5);
  });

  it.each<readonly [string, (name: string) => string]>([
    ["the adapter's name", (name) => name.replace(/lora_([AB])/, "lora_$1.default")],
    ["transformers 4.51's modules", (name) => name.replace("model.language_model.layers", "model.layers")],
    ["a decoder wrapped once more", (name) => name.replace("model.language_model.", "language_model.model.")],
  ])("tensors named with %s", async (_, rename) => {
    const base = await golden("tiny_untied");
    const adapter = await variant("tiny_untied", {}, rename);
    expect(await logitsError(base, "tiny_untied", "tiny_untied/lora", { adapter })).toBeLessThan(3e-5);
    expect(await logitsError(await merged(base, adapter), "tiny_untied", "tiny_untied/lora", {})).toBeLessThan(3e-5);
  });
});

describe("refuses what computes something else, opening and merging alike", () => {
  const refusal = async (adapter: CheckpointFiles): Promise<string> => {
    const base = await golden("tiny_tied");
    const message = async (opening: Promise<unknown>): Promise<string> =>
      opening.then(
        () => "opened",
        (error: unknown) => (error instanceof Error ? error.message : "not an Error"),
      );
    const opening = await message(Policy.load(backend, base, { adapter, adapterAsIs: true }));
    expect(await message(mergedFolder(base, adapter))).toBe(opening);
    return opening;
  };

  it.each<readonly [string, Readonly<Record<string, unknown>>, RegExp]>([
    ["PiSSA", { init_lora_weights: "pissa" }, /init_lora_weights is "pissa": .*base that was changed/],
    ["fast PiSSA", { init_lora_weights: "pissa_niter_16" }, /"pissa_niter_16": .*base that was changed/],
    ["OLoRA", { init_lora_weights: "olora" }, /"olora": .*path_initial_model_for_weight_conversion/],
    ["CorDA", { init_lora_weights: "corda", corda_config: {} }, /"corda": .*base that was changed/],
    ["LoftQ", { init_lora_weights: "loftq", loftq_config: { loftq_bits: 4 } }, /"loftq": .*base that was changed/],
    ["LoRA-GA", { init_lora_weights: "lora_ga" }, /"lora_ga": .*base that was changed/],
    ["activated LoRA", { alora_invocation_tokens: [7, 8] }, /alora_invocation_tokens is \[7,8\]: an activated LoRA/],
    ["DoRA", { use_dora: true }, /use_dora is true: DoRA also learns a magnitude/],
    ["QALoRA", { use_qalora: true }, /use_qalora is true/],
    ["biases", { bias: "lora_only" }, /bias is "lora_only": biases of the base/],
    ["a bias of B", { lora_bias: true }, /lora_bias is true/],
    ["whole modules", { modules_to_save: ["lm_head"] }, /modules_to_save is \["lm_head"\]: whole modules/],
    ["trained tokens", { trainable_token_indices: [1, 2] }, /trainable_token_indices/],
    ["repeated layers", { layer_replication: [[0, 1]] }, /layer_replication/],
    ["target parameters", { target_parameters: ["mlp.experts"] }, /target_parameters/],
    ["a variant of later date", { use_newlora: true }, /use_newlora is true; expected it unset/],
    ["another method", { peft_type: "VERA" }, /peft_type is VERA; only LORA/],
    ["another rank", { r: 8 }, /lora_A\.weight is \[4, \d+\], expected \[8, \d+\] for this base and the rank/],
    ["a pattern that is none", { alpha_pattern: { "q_(proj": 4 } }, /alpha_pattern has the key "q_\(proj"/],
    ["a rank of 0", { r: 0 }, /adapter_config\.json: r: /],
  ])("%s", async (_, changes, reason) => {
    expect(await refusal(await variant("tiny_tied", changes))).toMatch(reason);
  });

  const at = "base_model.model.model.language_model";
  const tensor = (name: string, shape: readonly number[]): TensorToWrite => ({
    name,
    shape,
    values: new Float32Array(shape.reduce((product, n) => product * n, 1)),
  });
  it.each<readonly [string, TensorToWrite, RegExp]>([
    ["magnitudes", tensor(`${at}.layers.0.mlp.up_proj.lora_magnitude_vector`, [96]), /DoRA's magnitudes/],
    ["an embedding", tensor(`${at}.embed_tokens.lora_embedding_A`, [4, 96]), /an adapted embedding table/],
    ["a bias", tensor(`${at}.layers.0.self_attn.q_proj.bias`, [64]), /a trained bias of the base/],
    ["a module", tensor("base_model.model.lm_head.modules_to_save.weight", [96, 64]), /trained as a whole/],
    ["a tied head", tensor("base_model.model.lm_head.lora_A.weight", [4, 64]), /head is its embedding table/],
    ["a layer beyond the last", tensor(`${at}.layers.9.mlp.up_proj.lora_A.weight`, [4, 64]), /Was it trained on/],
    ["the convolution", tensor("base_model.model.model.visual.patch_embed.proj.lora_A.weight", [4, 96]), /no linear/],
    ["A without B", tensor("base_model.model.model.visual.merger.mlp.0.lora_A.weight", [4, 128]), /no counterpart/],
    ["two adapters", tensor(`${at}.layers.0.mlp.up_proj.lora_A.other.weight`, [4, 64]), /are the same matrix/],
  ])("a tensor of %s", async (_, stray, reason) => {
    expect(await refusal(await variant("tiny_tied", {}, undefined, [stray]))).toMatch(reason);
  });

  it("values that are not finite, by name, unless they are wanted", async () => {
    const folder = await golden("tiny_tied/lora");
    const file = await opened(folder, WEIGHTS);
    const [first = ""] = file.names();
    const tensors = file.names().map((name) => {
      const values = Float32Array.from(readFloat32(file, name));
      if (name === first) values.fill(NaN, 97, 99);
      return { name, shape: file.entry(name).shape, values };
    });
    const adapter = new InMemoryFiles(
      new Map([
        ["adapter_config.json", await folder.read("adapter_config.json")],
        [WEIGHTS, writeSafetensors(tensors)],
      ]),
    );
    expect(await refusal(adapter)).toContain(
      `${WEIGHTS}: tensor ${first}: 2 of 384 values are not finite; the first is NaN at [1, 1].`,
    );
    const policy = await Policy.load(backend, await golden("tiny_tied"), { adapter, allowNonFinite: true });
    policy.dispose();
  });

  it("a folder that is no adapter, saying what it is", async () => {
    const of = (...names: string[]) => new InMemoryFiles(new Map(names.map((name) => [name, encode({})])));
    expect(await refusal(of("config.json", "model.safetensors"))).toMatch(/holds config\.json: a whole policy/);
    expect(await refusal(of("adapter_config.json", "adapter_model.bin"))).toMatch(
      /adapter_model\.bin, a PyTorch pickle/,
    );
    expect(await refusal(of())).toMatch(/holds no adapter_config\.json; it holds nothing/);
  });
});

describe("training further", () => {
  it("an adapter of some layers and several ranks is written as it was opened", async () => {
    const [base, folder] = [await golden("tiny_untied"), await golden("adapters/patterns")];
    const policy = await Policy.load(backend, base, { adapter: folder });
    const written = new InMemoryFiles(await policy.adapterFiles());
    const [before, after] = await Promise.all(
      [folder, written].map(async (files) => AdapterFile.open(files, policy.config)),
    );
    expect(after?.loraOptions()).toEqual({ ...before?.loraOptions() });
    const byMatrix = (file: AdapterFile | undefined) =>
      new Map(file?.matrices.map((adapted) => [adapted.matrix, file.update(adapted)]));
    expect(byMatrix(after)).toEqual(byMatrix(before));
    policy.dispose();
  });

  it("refuses an adapter of the tower, which can only be used or merged", async () => {
    const [base, adapter] = [await golden("tiny_tied"), await golden("adapters/all_linear")];
    await expect(Policy.load(backend, base, { adapter })).rejects.toThrow(
      /adapts \d+ matrices outside the decoder's layers \(visual\..*merge it \(srpo merge\)/,
    );
  });
});
