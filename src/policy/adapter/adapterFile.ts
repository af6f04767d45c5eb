/**
 * An adapter folder in PEFT's layout, opened: which matrices of the base its tensors adapt, and how. The tensors alone
 * decide that. `target_modules` may be a list of names, suffixes or paths, a regular expression or `all-linear`, with
 * exclusions and layers beside it, and on another version of transformers it matches other modules; PEFT leaves a
 * module that is named but has no tensors as it was.
 *
 * Departs from PEFT for a tensor of a module that the configuration does not name: PEFT drops it, here it is applied.
 */
import type { ParameterSet } from "../../tensor/parameters";
import type { CheckpointFiles } from "../checkpoint/checkpointFiles";
import { canonicalName, expectedTensors, moduleName } from "../checkpoint/checkpointNames";
import type { PolicyConfig } from "../checkpoint/config";
import { FiniteCheck } from "../checkpoint/finite";
import { Safetensors } from "../checkpoint/safetensors";
import { readFloat32 } from "../checkpoint/safetensorsValues";
import { LORA_TARGETS, type LoraModule, type LoraOptions, type LoraTarget, pairNames } from "../layers/lora";
import { AdapterError, CONFIG_FILE, parseAdapterConfig, refuseOtherFolder } from "./adapterConfig";
import type { Update } from "./update";

const FILE = "adapter_model.safetensors";

/** A matrix of the base with its low-rank pair. */
export interface AdaptedMatrix {
  /** Canonical name of the matrix, "model.layers.0.self_attn.q_proj.weight". */
  readonly matrix: string;
  /** Names of A [rank, in] and B [out, rank] in the file. */
  readonly a: string;
  readonly b: string;
  readonly rank: number;
  readonly alpha: number;
  readonly scale: number;
  /** Its place among the decoder's projections; null for the tower, the merger and the head. */
  readonly projection: { readonly layer: number; readonly target: LoraTarget } | null;
}

/** The base's name of an adapter tensor's module; PEFT has written several prefixes for this family. */
function canonicalModule(path: string): string {
  const module = path.replace(/^base_model\.model\./, "");
  return canonicalName(module.replace(/^(model\.)?(language_model\.)?(model\.)?layers\./, "model.layers."));
}

const PROJECTION = new RegExp(`^model\\.layers\\.(\\d+)\\.(?:self_attn|mlp)\\.(${LORA_TARGETS.join("|")})\\.weight$`);

/** Tensors of features that adapter_config.json need not name. */
const OTHER_TENSORS: readonly (readonly [RegExp, string])[] = [
  [/lora_magnitude_vector/, "DoRA's magnitudes"],
  [/lora_embedding_[AB]/, "an adapted embedding table"],
  [/lora_B(\.[^.]+)?\.bias$/, "a bias of B"],
  [/\.base_layer\./, "a copy of the base's own weights (save it with save_embedding_layers=False)"],
  [/modules_to_save/, "a module that was trained as a whole"],
  [/trainable_tokens/, "trained rows of the embedding"],
  [/\.bias$/, "a trained bias of the base"],
];

export class AdapterFile {
  private constructor(
    private readonly file: Safetensors,
    readonly matrices: readonly AdaptedMatrix[],
    private readonly options: { readonly rankStabilised: boolean; readonly baseModel: string | null },
    private readonly config: PolicyConfig,
  ) {}

  /**
   * @param config of the base
   * @throws AdapterError, ConfigError or SafetensorsError naming the key or tensor that does not fit
   */
  static async open(files: CheckpointFiles, config: PolicyConfig): Promise<AdapterFile> {
    refuseOtherFolder(files.list());
    const options = parseAdapterConfig(await files.read(CONFIG_FILE));
    const file = Safetensors.open(await files.read(FILE), FILE);
    const expected = expectedTensors(config);
    const pairs = new Map<string, { path: string; A?: string; B?: string }>();
    for (const stored of file.names()) {
      const [, path = "", which] = /^(.+)\.lora_(A|B)(?:\.[^.]+)?\.weight$/.exec(stored) ?? [];
      const matrix = `${canonicalModule(path)}.weight`;
      if (which === undefined || expected.get(matrix)?.length !== 2) throw notOfTheBase(stored, matrix, config);
      const pair = pairs.get(matrix) ?? { path };
      const key = which === "A" ? "A" : "B";
      if (pair[key] !== undefined)
        throw new AdapterError(
          `${FILE}: ${stored} and ${pair[key]} are the same matrix; a file holds one adapter. Save it alone.`,
        );
      pairs.set(matrix, { ...pair, [key]: stored });
    }
    if (pairs.size === 0) throw new AdapterError(`${FILE}: holds no tensor, so there is no adapter in it.`);
    const matrices = [...pairs].map(([matrix, { path, A, B }]): AdaptedMatrix => {
      if (A === undefined || B === undefined)
        throw new AdapterError(`${FILE}: ${A ?? B} has no counterpart; ${matrix} needs lora_A and lora_B.`);
      const module = matrix.replace(/\.weight$/, "");
      const { rank, alpha } = options.of([path.replace(/^base_model\.model\./, ""), moduleName(module)]);
      const [out = 0, columns = 0] = expected.get(matrix) ?? [];
      refuseShape(file, A, [rank, columns]);
      refuseShape(file, B, [out, rank]);
      const [, layer, target] = PROJECTION.exec(matrix) ?? [];
      const known = LORA_TARGETS.find((name) => name === target);
      return {
        matrix,
        a: A,
        b: B,
        rank,
        alpha,
        scale: alpha / (options.rankStabilised ? Math.sqrt(rank) : rank),
        projection: known === undefined ? null : { layer: Number(layer), target: known },
      };
    });
    return new AdapterFile(file, matrices, options, config);
  }

  /**
   * Refuse values that are not finite.
   * @throws CheckpointError naming the tensor
   */
  checkFinite(): void {
    for (const name of this.matrices.flatMap(({ a, b }) => [a, b])) {
      const check = new FiniteCheck(`${FILE}: tensor ${name}`, this.file.entry(name).shape);
      check.see(readFloat32(this.file, name));
      check.end();
    }
  }

  /** Write the pairs on the decoder's projections into parameters made with `loraOptions`. */
  loadInto(parameters: ParameterSet): void {
    for (const { projection, a, b } of this.matrices) {
      if (projection === null) continue;
      const names = pairNames(this.config, projection.layer, projection.target);
      parameters.write(names.a, readFloat32(this.file, a));
      parameters.write(names.b, readFloat32(this.file, b));
    }
  }

  /** What is added to the matrix. */
  update({ a, b, rank, scale }: AdaptedMatrix): Update {
    return { a: readFloat32(this.file, a), b: readFloat32(this.file, b), rank, scale };
  }

  /** The pairs on matrices that are no projections of the decoder. */
  elsewhere(): readonly AdaptedMatrix[] {
    return this.matrices.filter(({ projection }) => projection === null);
  }

  /** The pairs on the decoder's projections, as a model makes room for them; null where there are none. */
  loraOptions(): LoraOptions | null {
    const modules = this.matrices.flatMap(({ projection, rank, alpha }): LoraModule[] =>
      projection === null ? [] : [{ ...projection, rank, alpha }],
    );
    const [first] = modules;
    if (first === undefined) return null;
    const targets = LORA_TARGETS.filter((target) => modules.some((module) => module.target === target));
    const uniform =
      modules.length === targets.length * this.config.text.layers &&
      modules.every(({ rank, alpha }) => rank === first.rank && alpha === first.alpha);
    return {
      rank: Math.max(...modules.map(({ rank }) => rank)),
      alpha: first.alpha,
      rankStabilised: this.options.rankStabilised,
      targets,
      baseModel: this.options.baseModel,
      ...(uniform ? {} : { modules }),
    };
  }

  /**
   * Refuse an adapter that cannot be trained further here.
   * @throws AdapterError naming what it adapts beside the decoder's projections
   */
  refuseUntrainable(): void {
    const elsewhere = this.elsewhere();
    if (elsewhere.length > 0)
      throw new AdapterError(
        `${FILE}: adapts ${elsewhere.length} matrices outside the decoder's layers (${elsewhere[0]?.matrix}, …). ` +
          "Such an adapter can be used but not trained further: merge it (srpo merge) and train on the merged folder.",
      );
  }
}

function refuseShape(file: Safetensors, name: string, expected: readonly number[]): void {
  const { shape } = file.entry(name);
  if (shape.join() !== expected.join())
    throw new AdapterError(
      `${FILE}: ${name} is [${shape.join(", ")}], expected [${expected.join(", ")}] for this base and the rank ` +
        `that ${CONFIG_FILE} gives it.`,
    );
}

function notOfTheBase(stored: string, matrix: string, config: PolicyConfig): AdapterError {
  const [, other] = OTHER_TENSORS.find(([pattern]) => pattern.test(stored)) ?? [];
  if (other !== undefined)
    return new AdapterError(
      `${FILE}: ${stored} is ${other}; only pairs lora_A and lora_B on linear layers can be opened. Merge the ` +
        "adapter in Python (model.merge_and_unload()) and open the merged folder as the policy.",
    );
  if (matrix === "lm_head.weight" && config.text.tieWordEmbeddings)
    return new AdapterError(
      `${FILE}: ${stored} adapts the output head, but the base's head is its embedding table (tie_word_embeddings), ` +
        "which the adapter must not change. Untie the base in Python before merging.",
    );
  return new AdapterError(
    `${FILE}: ${stored} belongs to no linear layer of this policy (${config.text.layers} decoder layers, ` +
      `${config.vision.depth} tower blocks). Was it trained on another base?`,
  );
}
