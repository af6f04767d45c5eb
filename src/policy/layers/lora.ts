/**
 * LoRA adapters in PEFT's layout: names `base_model.model.model.language_model.layers.N.<module>.lora_{A,B}.weight`,
 * A [r, in] and B [out, r], scale α/r (rank-stabilised: α/√r), and `adapter_config.json`. Adapters sit on the
 * decoder's projections; fused matrices get one block of output columns for each projection.
 */
import { z } from "zod";
import type { Columns } from "../../tensor/kernels";
import type { LoraBlock } from "../../tensor/ops/linear";
import type { ParameterGroup, ParameterSet } from "../../tensor/parameters";
import type { CheckpointFiles } from "../checkpoint/checkpointFiles";
import type { PolicyConfig, TextConfig } from "../checkpoint/config";
import { Safetensors } from "../checkpoint/safetensors";
import { readFloat32 } from "../checkpoint/safetensorsValues";

export const LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
export type LoraTarget = (typeof LORA_TARGETS)[number];

export interface LoraOptions {
  readonly rank: number;
  readonly alpha: number;
  readonly rankStabilised: boolean;
  readonly targets: readonly LoraTarget[];
  readonly baseModel: string | null;
}

/** What we read of PEFT's adapter_config.json; other keys are allowed, features we do not compute are refused. */
const adapterConfigSchema = z.object({
  peft_type: z.literal("LORA"),
  r: z.number().int().positive(),
  lora_alpha: z.number().positive(),
  use_rslora: z.boolean().default(false),
  use_dora: z.literal(false).default(false),
  bias: z.literal("none").default("none"),
  target_modules: z.array(z.enum(LORA_TARGETS)).nonempty(),
  rank_pattern: z.record(z.string(), z.never()).default({}),
  alpha_pattern: z.record(z.string(), z.never()).default({}),
  base_model_name_or_path: z.string().nullable().default(null),
});

/** @throws Error naming the key of adapter_config.json that is missing or not supported. */
export function parseAdapterConfig(text: string): LoraOptions {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error("adapter_config.json is not JSON.", { cause });
  }
  const result = adapterConfigSchema.safeParse(json);
  if (!result.success) throw new Error(`adapter_config.json: ${z.prettifyError(result.error)}`);
  const c = result.data;
  return {
    rank: c.r,
    alpha: c.lora_alpha,
    rankStabilised: c.use_rslora,
    targets: c.target_modules,
    baseModel: c.base_model_name_or_path,
  };
}

/** The file PEFT writes and reads. */
export function adapterConfigJson(options: LoraOptions): string {
  const config = {
    base_model_name_or_path: options.baseModel,
    bias: "none",
    exclude_modules: ".*visual.*",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: options.alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: "LORA",
    r: options.rank,
    target_modules: options.targets,
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: options.rankStabilised,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The options of an adapter folder. */
export async function readAdapterConfig(files: CheckpointFiles): Promise<LoraOptions> {
  return parseAdapterConfig(new TextDecoder().decode(await files.read("adapter_config.json")));
}

/**
 * Write an adapter folder's tensors into parameters made with its options.
 * @throws Error naming a tensor that is missing or not of the model
 */
export async function loadAdapter(parameters: ParameterSet, files: CheckpointFiles): Promise<void> {
  const file = Safetensors.open(await files.read("adapter_model.safetensors"), "adapter_model.safetensors");
  const missing = new Set(parameters.names().filter((name) => name.includes(".lora_")));
  for (const stored of file.names()) {
    const name = adapterTensorName(stored);
    if (!parameters.has(name))
      throw new Error(
        `adapter_model.safetensors: ${stored} belongs to no projection of this policy that adapter_config.json names.`,
      );
    parameters.write(name, readFloat32(file, stored));
    missing.delete(name);
  }
  if (missing.size > 0)
    throw new Error(`adapter_model.safetensors lacks ${missing.size} tensors, e.g. ${[...missing][0]}.`);
}

interface Projection {
  readonly target: LoraTarget;
  /** Module path inside the layer, e.g. "self_attn.q_proj". */
  readonly module: string;
  /** Group of the base matrix it belongs to, and its columns there. */
  readonly fused: string;
  readonly columns: Columns;
  readonly in: number;
}

function projections(text: TextConfig): Projection[] {
  const { hiddenSize: d, intermediateSize: f } = text;
  const q = text.heads * text.headDim;
  const kv = text.kvHeads * text.headDim;
  const attn = (p: "q" | "k" | "v", offset: number, count: number): Projection => ({
    target: `${p}_proj`,
    module: `self_attn.${p}_proj`,
    fused: "self_attn.qkv.weight",
    columns: { offset, count },
    in: d,
  });
  const mlp = (p: "gate" | "up", offset: number): Projection => ({
    target: `${p}_proj`,
    module: `mlp.${p}_proj`,
    fused: "mlp.gate_up.weight",
    columns: { offset, count: f },
    in: d,
  });
  return [
    attn("q", 0, q),
    attn("k", q, kv),
    attn("v", q + kv, kv),
    {
      target: "o_proj",
      module: "self_attn.o_proj",
      fused: "self_attn.o_proj.weight",
      columns: { offset: 0, count: d },
      in: q,
    },
    mlp("gate", 0),
    mlp("up", f),
    {
      target: "down_proj",
      module: "mlp.down_proj",
      fused: "mlp.down_proj.weight",
      columns: { offset: 0, count: d },
      in: f,
    },
  ];
}

const tensorName = (layer: number, module: string, which: "A" | "B"): string =>
  `base_model.model.model.language_model.layers.${layer}.${module}.lora_${which}.weight`;

/** Our name of an adapter tensor, from any of the prefixes that PEFT has written for this family. */
export function adapterTensorName(name: string): string {
  return name.replace(
    /^base_model\.model\.(model\.)?(language_model\.)?(model\.)?layers\./,
    "base_model.model.model.language_model.layers.",
  );
}

export class LoraAdapter {
  private readonly placed: readonly Projection[];

  constructor(
    private readonly config: PolicyConfig,
    readonly options: LoraOptions,
    private readonly parameters: ParameterSet,
  ) {
    this.placed = projections(config.text).filter((p) => options.targets.includes(p.target));
  }

  /** The trainable groups of an adapter, named as PEFT names them. */
  static groups(config: PolicyConfig, options: LoraOptions): ParameterGroup[] {
    const placed = projections(config.text).filter((p) => options.targets.includes(p.target));
    const group = (name: string, shape: readonly number[]): ParameterGroup => ({
      key: name,
      parts: [{ name, shape }],
      trainable: true,
    });
    return Array.from({ length: config.text.layers }, (_, layer) =>
      placed.flatMap((p) => [
        group(tensorName(layer, p.module, "A"), [options.rank, p.in]),
        group(tensorName(layer, p.module, "B"), [p.columns.count, options.rank]),
      ]),
    ).flat();
  }

  /** Names of this adapter's tensors. */
  names(): string[] {
    return LoraAdapter.groups(this.config, this.options).map((group) => group.key);
  }

  get scale(): number {
    const { alpha, rank, rankStabilised } = this.options;
    return alpha / (rankStabilised ? Math.sqrt(rank) : rank);
  }

  /** Blocks to add on the base matrix `fused` (e.g. "self_attn.qkv.weight") of a layer. */
  blocks(layer: number, fused: string): LoraBlock[] {
    return this.placed
      .filter((p) => p.fused === fused)
      .map((p) => {
        const b = this.parameters.matrix(tensorName(layer, p.module, "B"));
        if (b.weight.format !== "f32") throw new Error("LoRA matrices are float32.");
        return {
          columns: p.columns,
          a: this.parameters.matrix(tensorName(layer, p.module, "A")),
          b: { value: b.weight.values, grad: b.grad },
          scale: this.scale,
        };
      });
  }
}
