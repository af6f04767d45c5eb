/**
 * Writing a policy as a Hugging Face folder that transformers opens as Qwen2_5_VLForConditionalGeneration:
 * config.json, model.safetensors (float32, names as published), generation_config.json, and every other file of the
 * folder it came from (tokenizer, preprocessor, chat template) as it was. An adapter is written as PEFT does.
 */
import type { ParameterSet } from "../tensor/parameters";
import type { CheckpointFiles } from "./checkpoint/checkpointFiles";
import { type PolicyConfig, withTie } from "./checkpoint/config";
import { parseJson } from "./checkpoint/configJson";
import { type TensorToWrite, writeSafetensors } from "./checkpoint/safetensorsWriter";
import { adapterConfigJson, type LoraAdapter } from "./layers/lora";

/** Files that `modelFolder` writes itself, or that would name shards that no longer exist. */
const REPLACED = /(^|\/)([^/]*\.safetensors|model\.safetensors\.index\.json|config\.json|generation_config\.json)$/;

/** Larger files are weights in some other format (a tokenizer.json has about 10 MB) and are not copied. */
const LARGEST_CARRIED = 64 * 2 ** 20;

/** The files that are copied unchanged from the folder a policy was loaded from. */
export async function carriedFiles(files: CheckpointFiles): Promise<Map<string, Uint8Array>> {
  const carried = new Map<string, Uint8Array>();
  for (const path of files.list()) {
    if (path.includes("/") || REPLACED.test(path) || (await files.size(path)) > LARGEST_CARRIED) continue;
    carried.set(path, await files.read(path));
  }
  return carried;
}

/** config.json with the number format that we write. */
function float32Config(configText: string, config: PolicyConfig): Record<string, unknown> {
  const json = parseJson(configText, "config.json");
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new Error("config.json: expected an object.");
  const kept = Object.entries(json).filter(([key]) => key !== "torch_dtype"); // the older name of dtype
  return { ...withTie(Object.fromEntries(kept), config), dtype: "float32" };
}

/**
 * Sampling defaults: temperature 1, no top-k or top-p, so that a folder samples as it was trained; every end token that
 * sampling stopped at.
 */
function generationConfig(config: PolicyConfig): Record<string, unknown> {
  const { eosTokenIds, samplingPadTokenId } = config.text;
  const eos = eosTokenIds.length === 1 ? eosTokenIds[0] : eosTokenIds;
  return {
    do_sample: true,
    temperature: 1,
    top_k: 0,
    top_p: 1,
    ...(eosTokenIds.length > 0 ? { eos_token_id: eos } : {}),
    ...(samplingPadTokenId !== null ? { pad_token_id: samplingPadTokenId } : {}),
  };
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

/** @param other files copied from the folder the policy came from */
export async function modelFolder(
  parameters: ParameterSet,
  config: PolicyConfig,
  configText: string,
  adapter: LoraAdapter | null,
  other: ReadonlyMap<string, Uint8Array>,
): Promise<Map<string, Uint8Array>> {
  const adapterNames = new Set(adapter?.names() ?? []);
  const tensors = [...(await parameters.readAll())]
    .filter(([name]) => !adapterNames.has(name))
    .map(([name, values]) => ({ name, shape: parameters.shapeOf(name), values }));
  return new Map([
    ...other,
    ["config.json", json(float32Config(configText, config))],
    ["generation_config.json", json(generationConfig(config))],
    ["model.safetensors", writeSafetensors(tensors)],
  ]);
}

/** The adapter alone: adapter_config.json and adapter_model.safetensors. */
export async function adapterFolder(
  parameters: ParameterSet,
  config: PolicyConfig,
  adapter: LoraAdapter,
): Promise<Map<string, Uint8Array>> {
  // One by one: the base, which may be large, stays on the device.
  const tensors: TensorToWrite[] = [];
  for (const name of adapter.names())
    tensors.push({ name, shape: parameters.shapeOf(name), values: await parameters.read(name) });
  return new Map([
    ["adapter_config.json", new TextEncoder().encode(adapterConfigJson(adapter.options, config))],
    ["adapter_model.safetensors", writeSafetensors(tensors)],
  ]);
}
