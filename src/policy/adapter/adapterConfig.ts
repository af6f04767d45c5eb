/**
 * PEFT's adapter_config.json (0.21). Which modules are adapted, and at which rank, is read from the tensors
 * (adapterFile.ts): of the configuration only the scale counts. Everything in it that makes an adapter compute
 * something else than W + s·B·A on this base is refused with its reason.
 */
import { z } from "zod";
import { parseJson, parseWith } from "../checkpoint/configJson";

export const CONFIG_FILE = "adapter_config.json";
const WEIGHTS_FILE = "adapter_model.safetensors";

/** An adapter folder that cannot be used; the message says which file and key or tensor, and what to do. */
export class AdapterError extends Error {
  override readonly name = "AdapterError";
}

const MERGE_ELSEWHERE = "Merge it in Python (model.merge_and_unload()) and open the merged folder as the policy.";

const numbers = (least: number) => z.record(z.string().max(1000), z.number().min(least)).nullish();

const schema = z.looseObject({
  peft_type: z.string(),
  r: z.int().positive().default(8),
  lora_alpha: z.number().positive().default(8),
  use_rslora: z.boolean().nullish(),
  bias: z.string().nullish(),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullish(),
  rank_pattern: numbers(1),
  alpha_pattern: numbers(0),
  base_model_name_or_path: z.string().nullish(),
});

export interface AdapterConfig {
  readonly rank: number;
  readonly alpha: number;
  /** Scale α/√r instead of α/r. */
  readonly rankStabilised: boolean;
  readonly baseModel: string | null;
  /** Rank and α of the module at any of these paths: they are one module in different versions of transformers. */
  of(paths: readonly string[]): { readonly rank: number; readonly alpha: number };
}

/** Initialisations that leave the base as it was: B or A starts at zero, or their product does. */
const PLAIN_INITIALISATIONS = new Set(["gaussian", "eva", "orthogonal", "mica"]);

/** Keys whose value, whatever it is, changes no number of a trained adapter. */
const HARMLESS = new Set([
  "auto_mapping",
  "ensure_weight_tying",
  "eva_config",
  "exclude_modules",
  "fan_in_fan_out", // of torch.nn.Linear, PEFT sets it to false
  "inference_mode",
  "layers_pattern",
  "layers_to_transform",
  "loftq_config", // acts through init_lora_weights
  "runtime_config",
  "target_modules",
]);

/** What each feature does that we do not compute. */
const FEATURES: Readonly<Record<string, string>> = {
  use_dora: "DoRA also learns a magnitude for each output",
  use_qalora: "QALoRA pools the inputs of a quantised base",
  use_bdlora: "block-diagonal LoRA splits its matrices into blocks",
  lora_bias: "B has a trained bias",
  modules_to_save: "whole modules were trained beside the adapter",
  trainable_token_indices: "rows of the embedding were trained beside the adapter",
  target_parameters: "parameters outside linear layers are adapted",
  layer_replication: "layers of the base are repeated",
  alora_invocation_tokens: "an activated LoRA acts only on the tokens after its invocation sequence",
};

/** @throws AdapterError or ConfigError naming the key that is wrong or not supported */
export function parseAdapterConfig(content: Uint8Array | string): AdapterConfig {
  const config = parseWith(schema, parseJson(content, CONFIG_FILE), CONFIG_FILE, "");
  if (config.peft_type !== "LORA")
    throw new AdapterError(
      `${CONFIG_FILE}: peft_type is ${config.peft_type}; only LORA adapters can be opened. ${MERGE_ELSEWHERE}`,
    );
  if (config.bias != null && config.bias !== "none")
    throw new AdapterError(
      `${CONFIG_FILE}: bias is "${config.bias}": biases of the base were trained beside the adapter; ` +
        'expected "none". ' +
        MERGE_ELSEWHERE,
    );
  refuseChangedBase(config.init_lora_weights);
  for (const [key, value] of Object.entries(config)) {
    if (!isSet(value) || key in schema.shape || HARMLESS.has(key)) continue;
    const known = FEATURES[key];
    throw new AdapterError(
      `${CONFIG_FILE}: ${key} is ${shortened(value)}${known === undefined ? "" : `: ${known}`}; expected it unset: ` +
        `adapters are computed as W + s·B·A and nothing else. ${MERGE_ELSEWHERE}`,
    );
  }
  const pattern = patterns(config.rank_pattern ?? {}, "rank_pattern");
  const alphaPattern = patterns(config.alpha_pattern ?? {}, "alpha_pattern");
  return {
    rank: config.r,
    alpha: config.lora_alpha,
    rankStabilised: config.use_rslora ?? false,
    baseModel: config.base_model_name_or_path ?? null,
    of: (paths) => ({ rank: pattern(paths) ?? config.r, alpha: alphaPattern(paths) ?? config.lora_alpha }),
  };
}

/** PiSSA, OLoRA, CorDA, LoRA-GA and LoftQ move a part of W into the adapter before training starts. */
function refuseChangedBase(initialisation: boolean | string | null | undefined): void {
  if (typeof initialisation !== "string" || PLAIN_INITIALISATIONS.has(initialisation.toLowerCase())) return;
  throw new AdapterError(
    `${CONFIG_FILE}: init_lora_weights is "${initialisation}": such an adapter belongs to a base that was changed ` +
      "when it was initialised, so on the original base it gives other numbers than in training. Convert it in " +
      "Python when saving (model.save_pretrained(out, path_initial_model_for_weight_conversion=…)), or " +
      `${MERGE_ELSEWHERE.charAt(0).toLowerCase()}${MERGE_ELSEWHERE.slice(1)}`,
  );
}

/** A switch that is on, or a list or section that is not empty. Numbers and words belong to such a switch. */
function isSet(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value === true;
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/**
 * PEFT's get_pattern_key: the first key that is, as a regular expression, the module's path or ends it after a dot.
 * → the value for paths of a module, if a key fits
 */
function patterns(
  values: Readonly<Record<string, number>>,
  key: string,
): (paths: readonly string[]) => number | undefined {
  const tried = Object.entries(values).map(([source, value]): [RegExp, number] => {
    try {
      return [new RegExp(`^(.*\\.)?(${source})$`), value];
    } catch (error) {
      throw new AdapterError(
        `${CONFIG_FILE}: ${key} has the key "${source}", which is no regular expression ` +
          `(${error instanceof Error ? error.message : String(error)}).`,
      );
    }
  });
  return (paths) => tried.find(([pattern]) => paths.some((path) => pattern.test(path)))?.[1];
}

/** What an adapter folder must hold. @throws AdapterError saying what it is instead */
export function refuseOtherFolder(present: readonly string[]): void {
  if (present.includes(CONFIG_FILE) && present.includes(WEIGHTS_FILE)) return;
  const missing = present.includes(CONFIG_FILE) ? WEIGHTS_FILE : CONFIG_FILE;
  const instead = present.includes("adapter_model.bin")
    ? `it holds adapter_model.bin, a PyTorch pickle; save it in Python with safe_serialization=True`
    : present.includes("config.json")
      ? "it holds config.json: a whole policy, which is opened as one, not as an adapter"
      : `it holds ${present.slice(0, 6).join(", ") || "nothing"}`;
  throw new AdapterError(`The adapter's folder holds no ${missing}; ${instead}.`);
}
