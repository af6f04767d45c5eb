/**
 * Qwen2.5-VL as tensors: the tower, the decoder and their parameters on one backend. Works on token ids and
 * patches; words and pixels belong to Policy (policy.ts).
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend, Recorder } from "../tensor/backend";
import { gatherRows, type TokenLogprobs, tokenLogprobs } from "../tensor/ops/rows";
import { ParameterSet } from "../tensor/parameters";
import { Tape } from "../tensor/tape";
import type { PolicyConfig } from "./checkpoint/config";
import { generateRollout, type ResolvedOptions, type Rollout } from "./generation/generate";
import { type CacheFormat, defaultCacheFormat } from "./generation/groupCache";
import { Decoder } from "./layers/decoder";
import { FeatureIndices } from "./layers/featureIndices";
import type { ImagePatches } from "./layers/imagePatches";
import { key, type LayoutOptions, parameterGroups } from "./layers/layout";
import { LoraAdapter, type LoraOptions } from "./layers/lora";
import { MropeAngles, mropeFrequencies, mropePositions } from "./layers/mrope";
import {
  type BatchCapacity,
  type EncodedPrompt,
  type FeatureBank,
  type PackedBatch,
  type PackedItem,
  packRows,
  paddedSize,
  uploadBatch,
} from "./layers/packing";
import { type PictureFeatureOptions, PictureFeatures, USUAL_PICTURE_FEATURES } from "./layers/pictureFeatures";
import { type VisionBatch, VisionTower, visionBatch } from "./layers/vision";
import { activationBytes } from "./memoryPlan";

/** "all": tower and decoder; "language": the decoder; "none": nothing but the adapter, if any. */
export interface ModelOptions extends LayoutOptions {
  /** Adds an adapter and freezes everything else. */
  readonly lora?: LoraOptions | null;
  /**
   * Activation checkpointing: keep only each layer's input and recompute the layer in the backward pass. Holds the
   * activations of one layer instead of all, for a third more work; gradients are bit-identical. Default false.
   */
  readonly recompute?: boolean;
  /** Which pictures' features stay on the device from step to step while the tower is frozen (pictureFeatures.ts). */
  readonly pictureFeatures?: PictureFeatureOptions;
}

export interface LogprobOptions {
  readonly temperature: number;
  readonly trainVision: boolean;
  /** "off": as if the policy had no adapter, which is the reference policy of the KL term. Default "on". */
  readonly adapter?: "on" | "off";
}

/** A recording costs host memory and bind groups, no tensors of its own: all share one arena. */
const RECORDINGS_KEPT = 24;

export class VisionLanguageModel {
  readonly parameters: ParameterSet;
  readonly lora: LoraAdapter | null;
  /** Recorder of training steps: one recording per shape of batch. */
  readonly trainingSteps: Recorder;
  private readonly decodeSteps: Recorder;
  /** For rollouts that name no format. */
  readonly cacheFormat: CacheFormat;
  private readonly angles: MropeAngles;
  readonly featureIndices: FeatureIndices;
  private readonly pictures: PictureFeatures;
  private bound: { readonly decoder: Decoder; readonly withoutAdapter: Decoder; readonly tower: VisionTower } | null =
    null;
  private readonly recompute: boolean;
  /** Cache rows of the longest prompt so far. Where steps are recorded, each prompt gets as many: equal shapes. */
  private promptCapacity = 0;

  /** All parameters are zero until written. */
  constructor(
    readonly backend: Backend,
    readonly config: PolicyConfig,
    options: ModelOptions,
  ) {
    const lora = options.lora ?? null;
    const base = parameterGroups(config, lora === null ? options : { ...options, trainable: "none" });
    this.parameters = new ParameterSet(backend, lora === null ? base : [...base, ...LoraAdapter.groups(config, lora)]);
    this.lora = lora === null ? null : new LoraAdapter(config, lora, this.parameters);
    this.recompute = options.recompute ?? false;
    this.trainingSteps = backend.recorder(RECORDINGS_KEPT);
    this.decodeSteps = backend.recorder(RECORDINGS_KEPT);
    this.pictures = new PictureFeatures(backend, options.pictureFeatures ?? USUAL_PICTURE_FEATURES, (prompt) => {
      const features = this.features([prompt]);
      if (features === null) throw new Error("featureBank: a prompt with picture cells has no picture.");
      return features;
    });
    this.cacheFormat = defaultCacheFormat(config, options);
    this.featureIndices = new FeatureIndices(config.vision);
    this.angles = new MropeAngles(
      mropeFrequencies(config.text.headDim, config.text.ropeTheta, config.text.mropeSection),
    );
  }

  /** Positions for ids in which every merged cell of every picture has its image token. */
  encode(ids: Int32Array, images: readonly ImagePatches[]): EncodedPrompt {
    const positions = mropePositions(
      ids,
      this.config.imageTokenId,
      images.map((image) => image.grid),
      this.config.vision.spatialMergeSize,
    );
    return { ids, images, positions };
  }

  /**
   * Image features of the prompts, in window order, without gradients [cells, hidden]; null when no prompt has a
   * picture. The caller disposes it.
   */
  features(prompts: readonly EncodedPrompt[]): Tensor | null {
    const vision = this.visionOf(prompts);
    if (vision === null) return null;
    const tape = new Tape(this.backend, false);
    const features = tape.disown(this.layers.tower.forward(tape, vision));
    tape.dispose();
    vision.dispose();
    return features;
  }

  /**
   * Features of the distinct prompts, for later batches and rollouts while the tower does not change. Null without
   * pictures.
   */
  featureBank(prompts: readonly EncodedPrompt[]): FeatureBank | null {
    const distinct = [...new Set(prompts)];
    const cells = distinct.map((prompt) => this.featureIndices.ofCells(prompt).length);
    const keeps = !this.parameters.isTrainable(key.patchEmbed) && this.pictures.concerns(cells);
    const tensor = keeps
      ? this.pictures.bank(distinct, cells, this.config.text.hiddenSize, this.parameters.frozenVersion)
      : this.features(distinct);
    if (tensor === null) return null;
    return { tensor, firstRow: this.featureIndices.firstRows(distinct), dispose: () => tensor.dispose() };
  }

  /**
   * @param padded pad to one of a few sizes, so that a recorded step serves many batches (packing.ts)
   * @param capacity of the largest batch to expect; its memory then serves the smaller ones
   */
  packBatch(
    items: readonly PackedItem[],
    features: FeatureBank | null = null,
    padded = false,
    capacity: BatchCapacity | null = null,
  ): PackedBatch {
    const prompts = [...new Set(items.map((item) => item.prompt))];
    const firstRows = features?.firstRow ?? this.featureIndices.firstRows(prompts);
    const packed = packRows(
      items,
      {
        imageToken: this.config.imageTokenId,
        angles: this.angles,
        featureIndex: (prompt) => this.featureIndices.from(prompt, firstRows),
      },
      padded,
    );
    return uploadBatch(
      this.backend,
      items,
      packed,
      features === null ? this.visionOf(prompts) : null,
      features,
      capacity,
    );
  }

  /** Log-probability, entropy and log-sum-exp of every response token [R]; they live until the tape is disposed. */
  responseLogprobs(tape: Tape, batch: PackedBatch, options: LogprobOptions): TokenLogprobs {
    if (options.trainVision && batch.vision === null && batch.features !== null) {
      throw new Error(
        "responseLogprobs: trainVision needs a batch packed without a feature bank, whose features are computed " +
          "with it.",
      );
    }
    const decoder = options.adapter === "off" ? this.layers.withoutAdapter : this.layers.decoder;
    const predicting = gatherRows(tape, this.hidden(tape, batch, decoder, options.trainVision), batch.gather);
    return tokenLogprobs(tape, decoder.finalNorm(tape, predicting), decoder.head, batch.targets, options.temperature);
  }

  /** Bytes that an update on a batch of this size takes on top of the parameters, without the tower. */
  activationBytes(batch: BatchCapacity): number {
    return activationBytes(this.config.text, this.lora?.options.rank ?? 0, batch, this.recompute);
  }

  /** Logits of every packed row [N, V], for comparisons (training never holds them). The caller disposes it. */
  logits(batch: PackedBatch): Tensor {
    const tape = new Tape(this.backend, false);
    const { decoder } = this.layers;
    const normed = decoder.finalNorm(tape, this.hidden(tape, batch, decoder, false));
    const logits = this.backend.kernels.linear(normed, decoder.head.weight, null, null);
    tape.dispose();
    return logits;
  }

  async generate(
    prompts: readonly EncodedPrompt[],
    options: ResolvedOptions,
    padToken: number,
    features: FeatureBank | null = null,
  ): Promise<Rollout> {
    const own = features === null ? this.featureBank(prompts) : null;
    const bank = features ?? own;
    const firstRows = bank?.firstRow ?? this.featureIndices.firstRows([...new Set(prompts)]);
    this.promptCapacity = Math.max(this.promptCapacity, ...prompts.map(({ ids }) => paddedSize(ids.length - 1)));
    try {
      const model = {
        backend: this.backend,
        recorder: this.decodeSteps,
        decoder: this.layers.decoder,
        numLayers: this.config.text.layers,
        imageToken: this.config.imageTokenId,
        padToken,
        visionTokens: this.config.visionTokenIds,
        angles: this.angles,
        cacheFormat: this.cacheFormat,
        promptCapacity: this.backend.records ? this.promptCapacity : null,
      };
      return await generateRollout(
        model,
        prompts,
        bank?.tensor ?? null,
        prompts.map((prompt) => this.featureIndices.from(prompt, firstRows)),
        options,
      );
    } finally {
      own?.dispose();
    }
  }

  dispose(): void {
    this.trainingSteps.dispose();
    this.decodeSteps.dispose();
    this.pictures.dispose();
    this.parameters.dispose();
  }

  /** Hidden states of every packed row before the final norm [N, D]. */
  private hidden(tape: Tape, batch: PackedBatch, decoder: Decoder, trainVision: boolean): Tensor {
    let features = batch.features?.tensor ?? null;
    if (batch.vision !== null) {
      const towerTape = trainVision ? tape : new Tape(this.backend, false);
      features = this.layers.tower.forward(towerTape, batch.vision);
      if (towerTape !== tape) {
        tape.own(towerTape.disown(features));
        towerTape.dispose();
      }
    }
    return decoder.forward(tape, decoder.embed(tape, batch.ids, features), batch.angles, batch.rows);
  }

  /** The layers, bound to their parameters on first use (packed weights exist only once they are written). */
  private get layers(): { readonly decoder: Decoder; readonly withoutAdapter: Decoder; readonly tower: VisionTower } {
    if (this.bound !== null) return this.bound;
    const {
      parameters,
      lora,
      recompute,
      config: { text, vision },
    } = this;
    const decoder = new Decoder(text, parameters, lora, recompute);
    const withoutAdapter = lora === null ? decoder : new Decoder(text, parameters, null, recompute);
    this.bound = { decoder, withoutAdapter, tower: new VisionTower(vision, parameters, recompute) };
    return this.bound;
  }

  private visionOf(prompts: readonly EncodedPrompt[]): VisionBatch | null {
    const images = prompts.flatMap((prompt) => prompt.images);
    return images.length === 0 ? null : visionBatch(this.backend, images, this.config.vision);
  }
}
