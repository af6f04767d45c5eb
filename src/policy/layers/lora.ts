/**
 * LoRA adapters in PEFT's layout: names `base_model.model.model.language_model.layers.N.<module>.lora_{A,B}.weight`,
 * A [r, in] and B [out, r], scale α/r (rank-stabilised: α/√r), and `adapter_config.json`. Adapters sit on the
 * decoder's projections; fused matrices get one block of output columns for each projection.
 */
import type { Columns } from "../../tensor/kernels";
import type { LoraBlock } from "../../tensor/ops/linear";
import type { ParameterGroup, ParameterSet } from "../../tensor/parameters";
import type { PolicyConfig, TextConfig } from "../checkpoint/config";

export const LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] as const;
export type LoraTarget = (typeof LORA_TARGETS)[number];

/** An adapted projection of one layer. */
export interface LoraModule {
  readonly layer: number;
  readonly target: LoraTarget;
  readonly rank: number;
  readonly alpha: number;
}

export interface LoraOptions {
  /** Of every module; with `modules`, the largest. */
  readonly rank: number;
  readonly alpha: number;
  readonly rankStabilised: boolean;
  readonly targets: readonly LoraTarget[];
  readonly baseModel: string | null;
  /** The adapted modules where they are not all targets in all layers, or differ in rank or α. */
  readonly modules?: readonly LoraModule[];
}

/**
 * The file PEFT writes and reads. An adapter on some layers, or of several ranks, names each module by its path.
 * @param config of the base
 */
export function adapterConfigJson(options: LoraOptions, config: PolicyConfig): string {
  const paths = placedModules(config, options).map(({ layer, projection, rank, alpha }) => ({
    path: `model.language_model.layers.${layer}.${projection.module}`,
    rank,
    alpha,
  }));
  const listed = options.modules !== undefined;
  const differing = (key: "rank" | "alpha"): Record<string, number> =>
    Object.fromEntries(
      paths.filter((module) => module[key] !== options[key]).map((module) => [module.path, module[key]]),
    );
  const json = {
    ...(listed ? { alpha_pattern: differing("alpha") } : {}),
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
    ...(listed ? { rank_pattern: differing("rank") } : {}),
    target_modules: listed
      ? paths.map(({ path }) => path)
      : LORA_TARGETS.filter((target) => options.targets.includes(target)),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: options.rankStabilised,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
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

/** The modules of an adapter: those listed, else the targets in every layer. */
function modulesOf({ modules, targets, rank, alpha }: LoraOptions, layers: number): readonly LoraModule[] {
  if (modules !== undefined) return modules;
  return Array.from({ length: layers }, (_, layer) =>
    LORA_TARGETS.filter((target) => targets.includes(target)).map((target) => ({ layer, target, rank, alpha })),
  ).flat();
}

interface PlacedModule extends LoraModule {
  readonly projection: Projection;
  /** Names of A and B. */
  readonly a: string;
  readonly b: string;
}

function placedModules({ text }: PolicyConfig, options: LoraOptions): PlacedModule[] {
  const known = projections(text);
  return modulesOf(options, text.layers).map((module) => {
    const projection = known.find(({ target }) => target === module.target);
    if (projection === undefined) throw new Error(`The decoder has no projection ${module.target}.`);
    const name = (which: "A" | "B"): string => tensorName(module.layer, projection.module, which);
    return { ...module, projection, a: name("A"), b: name("B") };
  });
}

/** Names of the pair on a projection of a layer. */
export function pairNames(config: PolicyConfig, layer: number, target: LoraTarget): { readonly a: string; b: string } {
  const module = projections(config.text).find((projection) => projection.target === target)?.module ?? target;
  return { a: tensorName(layer, module, "A"), b: tensorName(layer, module, "B") };
}

export class LoraAdapter {
  private readonly placed: readonly PlacedModule[];

  constructor(
    config: PolicyConfig,
    readonly options: LoraOptions,
    private readonly parameters: ParameterSet,
  ) {
    this.placed = placedModules(config, options);
  }

  /** The trainable groups of an adapter, named as PEFT names them. */
  static groups(config: PolicyConfig, options: LoraOptions): ParameterGroup[] {
    const group = (name: string, shape: readonly number[]): ParameterGroup => ({
      key: name,
      parts: [{ name, shape }],
      trainable: true,
    });
    return placedModules(config, options).flatMap(({ projection, a, b, rank }) => [
      group(a, [rank, projection.in]),
      group(b, [projection.columns.count, rank]),
    ]);
  }

  /** Names of this adapter's tensors. */
  names(): string[] {
    return this.placed.flatMap(({ a, b }) => [a, b]);
  }

  /** Blocks to add on the base matrix `fused` (e.g. "self_attn.qkv.weight") of a layer. */
  blocks(layer: number, fused: string): LoraBlock[] {
    return this.placed
      .filter((module) => module.layer === layer && module.projection.fused === fused)
      .map((module) => {
        const b = this.parameters.matrix(module.b);
        if (b.weight.format !== "f32") throw new Error("LoRA matrices are float32.");
        return {
          columns: module.projection.columns,
          a: this.parameters.matrix(module.a),
          b: { value: b.weight.values, grad: b.grad },
          scale: scaleOf(this.options, module),
        };
      });
  }
}

function scaleOf({ rankStabilised }: LoraOptions, { rank, alpha }: LoraModule): number {
  return alpha / (rankStabilised ? Math.sqrt(rank) : rank);
}
