/**
 * A policy: a Qwen2.5-VL model with its words and pictures. Everything that training, the runner and the page need;
 * how the model computes is in model.ts, sampling in generate.ts, the layout of batches in packing.ts.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../tensor/backend";
import type { TokenLogprobs } from "../tensor/ops/rows";
import type { ParameterSet } from "../tensor/parameters";
import type { Tape } from "../tensor/tape";
import { AdapterFile } from "./adapter/adapterFile";
import { Checkpoint } from "./checkpoint/checkpoint";
import type { CheckpointFiles } from "./checkpoint/checkpointFiles";
import type { PolicyConfig } from "./checkpoint/config";
import { openConfig, withEndToken } from "./checkpoint/generationConfig";
import { refuseVisionTokens } from "./checkpoint/visionTokens";
import { initialise } from "./create";
import { adapterFolder, carriedFiles, modelFolder } from "./folder";
import type { GenerateOptions, Rollout } from "./generation/generate";
import { stopCheck } from "./generation/stopStrings";
import type { LoraOptions } from "./layers/lora";
import type { BatchCapacity, EncodedPrompt, FeatureBank, PackedBatch, PackedItem } from "./layers/packing";
import { loadWeights, type OnLoaded } from "./loadWeights";
import { type LogprobOptions, type ModelOptions, VisionLanguageModel } from "./model";
import type { RgbImage } from "./processor/imageProcessorPixels";
import { PromptEncoder, type PromptSize } from "./processor/promptEncoder";
import type { PolicyTokenizer } from "./processor/tokenizer";

export type { CheckpointFiles } from "./checkpoint/checkpointFiles";
export type { GenerateOptions, Rollout, RolloutRow } from "./generation/generate";
export type { LoraOptions } from "./layers/lora";
export type { EncodedPrompt, FeatureBank, PackedBatch, PackedItem } from "./layers/packing";
export type { RgbImage } from "./processor/imageProcessorPixels";

export interface LoadOptions extends Partial<ModelOptions> {
  /** A new adapter (A random by `seed`, B zero); everything else is frozen. */
  readonly lora?: LoraOptions | null;
  /** A trained adapter in PEFT's layout; training continues it. */
  readonly adapter?: CheckpointFiles | null;
  /**
   * The adapter is not trained further. What it has outside the decoder's layers is then added to the weights as they
   * are loaded; otherwise such an adapter is refused. Default false.
   */
  readonly adapterAsIs?: boolean;
  /** Load NaN and infinity as they are (finite.ts). Default false. */
  readonly allowNonFinite?: boolean;
  readonly seed?: number;
  /** Maximum number of pixels; larger images are scaled down. null: as the folder says. */
  readonly maxPixels?: number | null;
  readonly onLoaded?: OnLoaded;
}

export class Policy {
  private constructor(
    readonly model: VisionLanguageModel,
    /** config.json as loaded. */
    private readonly configText: string,
    /** Files of the folder that are copied when it is written again. */
    private readonly otherFiles: ReadonlyMap<string, Uint8Array>,
    /** Null for a folder without a tokenizer: such a policy takes ids only. */
    private readonly encoder: PromptEncoder | null,
  ) {}

  /**
   * Open a Hugging Face folder. Nothing is allocated on the device before the folder's files are known to fit together,
   * and nothing stays there if loading fails.
   * @throws ConfigError, CheckpointError or SafetensorsError, each saying which file and what in it is wrong
   */
  static async load(backend: Backend, files: CheckpointFiles, options: LoadOptions = {}): Promise<Policy> {
    const checkpoint = await Checkpoint.open(files);
    const adapter = options.adapter == null ? null : await AdapterFile.open(options.adapter, checkpoint.config);
    const lora = adapter === null ? (options.lora ?? null) : adapter.loraOptions();
    if (options.adapterAsIs !== true) adapter?.refuseUntrainable();
    if (options.allowNonFinite !== true) adapter?.checkFinite();
    // What is small and may fail comes before what is large.
    const encoder = await PromptEncoder.open(files, checkpoint.config, options.maxPixels);
    const other = await carriedFiles(files);
    const config = withEndToken(checkpoint.config, encoder?.endOfTurn ?? null);
    const model = new VisionLanguageModel(backend, config, {
      ...options,
      trainable: options.trainable ?? "all",
      lora,
    });
    try {
      if (model.lora !== null) initialise(model.parameters, options.seed ?? 0, { only: new Set(model.lora.names()) });
      await loadWeights(model.parameters, checkpoint, {
        onLoaded: options.onLoaded,
        allowNonFinite: options.allowNonFinite,
        updates: new Map(adapter?.elsewhere().map((adapted) => [adapted.matrix, adapter.update(adapted)])),
      });
      adapter?.loadInto(model.parameters);
    } catch (error) {
      model.dispose();
      throw error;
    }
    return new Policy(model, checkpoint.configText, other, encoder);
  }

  /**
   * A new policy with random weights.
   * @param files config.json, tokenizer and preprocessor, no weights: for a nano policy `nanoFiles(words)`
   */
  static async create(
    backend: Backend,
    files: CheckpointFiles,
    options: { readonly seed: number } & Partial<ModelOptions>,
  ): Promise<Policy> {
    const opened = await openConfig(files);
    const encoder = await PromptEncoder.open(files, opened.config);
    const config = withEndToken(opened.config, encoder?.endOfTurn ?? null);
    const model = new VisionLanguageModel(backend, config, { ...options, trainable: options.trainable ?? "all" });
    initialise(model.parameters, options.seed);
    return new Policy(model, opened.configText, await carriedFiles(files), encoder);
  }

  get backend(): Backend {
    return this.model.backend;
  }

  get config(): PolicyConfig {
    return this.model.config;
  }

  get parameters(): ParameterSet {
    return this.model.parameters;
  }

  /** @throws Error when the folder has no tokenizer. */
  get tokenizer(): PolicyTokenizer {
    return this.prompts.tokenizer;
  }

  /**
   * Chat template, token ids with one image token per merged cell, patches, positions. Host work only.
   * @param image a picture, or several in order
   */
  encodePrompt(question: string, image: RgbImage | readonly RgbImage[]): EncodedPrompt {
    const { ids, images } = this.prompts.encode(question, "pixels" in image ? [image] : image);
    return this.model.encode(ids, images);
  }

  /** How long the prompt would be and how large its pictures; cheaper than `encodePrompt`, with the same errors. */
  measurePrompt(question: string, pictures: readonly Pick<RgbImage, "width" | "height">[]): PromptSize {
    return this.prompts.measure(question, pictures);
  }

  /**
   * The prompt followed by the beginning of a response: sampling continues from there.
   * @throws VisionTokenError
   */
  continuePrompt(prompt: EncodedPrompt, tokens: readonly number[]): EncodedPrompt {
    refuseVisionTokens(this.config, tokens, "continuePrompt: the beginning of a response");
    return tokens.length === 0 ? prompt : this.model.encode(Int32Array.of(...prompt.ids, ...tokens), prompt.images);
  }

  /** The tokens of a response as training data, with the end-of-turn token. */
  encodeResponse(text: string): Int32Array {
    return this.prompts.encodeResponse(text);
  }

  /**
   * Image features without gradients, [cells, hidden], one prompt after another, each in window order. The caller
   * disposes.
   * @throws Error without pictures
   */
  imageFeatures(prompts: readonly EncodedPrompt[]): Tensor {
    const features = this.model.features(prompts);
    if (features === null) throw new Error("imageFeatures: none of the prompts has a picture.");
    return features;
  }

  /**
   * Image features made once for many batches and rollouts while the tower is frozen; null without pictures. The caller
   * disposes.
   */
  featureBank(prompts: readonly EncodedPrompt[]): FeatureBank | null {
    return this.model.featureBank(prompts);
  }

  /** Sample `groupSize` responses per prompt, rows prompt-major. `features`: a bank that holds all prompts. */
  async generate(
    prompts: readonly EncodedPrompt[],
    options: GenerateOptions,
    features: FeatureBank | null = null,
  ): Promise<Rollout> {
    const { eosTokenIds, samplingPadTokenId, vocabSize } = this.config.text;
    const stopTokens = options.stopTokens ?? eosTokenIds;
    const { stopStrings = [], ...others } = options;
    const check = stopStrings.length === 0 ? null : stopCheck(this.tokenizer, stopStrings);
    return this.model.generate(
      prompts,
      { ...others, stopTokens, stopCheck: check },
      // The pad token is looked up in the table like any other.
      [samplingPadTokenId, ...stopTokens].find((id) => id !== null && id < vocabSize) ?? 0,
      features,
    );
  }

  /**
   * Prompts once, each followed by its responses, on the device. `padded`: to one of a few sizes. `capacity`: of the
   * largest batch to expect. The caller disposes.
   */
  packBatch(
    items: readonly PackedItem[],
    features: FeatureBank | null = null,
    padded = false,
    capacity: BatchCapacity | null = null,
  ): PackedBatch {
    return this.model.packBatch(items, features, padded, capacity);
  }

  /**
   * One row per response token, in order item → response → token. Differentiable in `logprob` only.
   * The tensors live until `tape.dispose()`, past `tape.backward`.
   */
  responseLogprobs(tape: Tape, batch: PackedBatch, options: LogprobOptions): TokenLogprobs {
    return this.model.responseLogprobs(tape, batch, options);
  }

  /** The policy as a Hugging Face folder (float32). With an adapter: the base, unmerged; see `adapterFiles`. */
  toFiles(): Promise<Map<string, Uint8Array>> {
    return modelFolder(this.parameters, this.config, this.configText, this.model.lora, this.otherFiles);
  }

  /** The adapter as a PEFT folder. @throws Error when the policy has none. */
  async adapterFiles(): Promise<Map<string, Uint8Array>> {
    if (this.model.lora === null) throw new Error("This policy has no LoRA adapter.");
    return adapterFolder(this.parameters, this.config, this.model.lora);
  }

  dispose(): void {
    this.model.dispose();
  }

  private get prompts(): PromptEncoder {
    if (this.encoder === null) throw new Error("The policy's folder has no tokenizer.json: it takes token ids only.");
    return this.encoder;
  }
}
