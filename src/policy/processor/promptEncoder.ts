/**
 * From a question and a picture to token ids and patches: the folder's chat template, tokenizer and image processor,
 * checked against each other.
 */

import type { CheckpointFiles } from "../checkpoint/checkpointFiles";
import { ConfigError, type PolicyConfig } from "../checkpoint/config";
import type { ImagePatches } from "../layers/imagePatches";
import { ChatTemplate, expandImageTokens } from "./chatTemplate";
import { ImageProcessor, type ImageProcessorConfig, parsePreprocessorConfig } from "./imageProcessor";
import type { RgbImage } from "./imageProcessorPixels";
import { PolicyTokenizer } from "./tokenizer";

const PREPROCESSOR_FILE = "preprocessor_config.json";

export class PromptEncoder {
  private constructor(
    readonly tokenizer: PolicyTokenizer,
    private readonly template: ChatTemplate,
    private readonly processor: ImageProcessor,
    private readonly config: PolicyConfig,
  ) {}

  /**
   * Null when the folder has no tokenizer.json.
   * @param maxPixels maximum number of pixels per picture; null: as the folder says.
   * @throws ConfigError when the preprocessor does not fit config.json
   */
  static async open(
    files: CheckpointFiles,
    config: PolicyConfig,
    maxPixels: number | null = null,
  ): Promise<PromptEncoder | null> {
    const present = files.list();
    if (!present.includes("tokenizer.json")) return null;
    const { patchSize, spatialMergeSize, temporalPatchSize } = config.vision;
    const preprocessor = present.includes(PREPROCESSOR_FILE)
      ? parsePreprocessorConfig(await files.read(PREPROCESSOR_FILE))
      : parsePreprocessorConfig({
          patch_size: patchSize,
          merge_size: spatialMergeSize,
          temporal_patch_size: temporalPatchSize,
        });
    for (const [key, theirs, ours] of [
      ["patch_size", preprocessor.patchSize, patchSize],
      ["merge_size", preprocessor.mergeSize, spatialMergeSize],
      ["temporal_patch_size", preprocessor.temporalPatchSize, temporalPatchSize],
    ] as const) {
      if (theirs !== ours)
        throw new ConfigError(
          `${PREPROCESSOR_FILE}: ${key} is ${theirs}, but config.json's vision_config says ${ours}.`,
        );
    }
    return new PromptEncoder(
      await PolicyTokenizer.open(files),
      await ChatTemplate.open(files),
      new ImageProcessor(maxPixels === null ? preprocessor : atMost(preprocessor, maxPixels)),
      config,
    );
  }

  /** @throws TokenizerError for words outside the vocabulary, ImageSizeError for a picture that cannot be resized */
  encode(question: string, pictures: readonly RgbImage[]): { ids: Int32Array; images: ImagePatches[] } {
    const images = pictures.map((picture) => {
      const {
        pixelValues,
        grid: [frames, height, width],
      } = this.processor.process(picture);
      return { patches: pixelValues, grid: { frames, height, width } };
    });
    const cells = images.map(
      ({ grid: { frames, height, width } }) => (frames * height * width) / this.config.vision.spatialMergeSize ** 2,
    );
    const ids = this.tokenizer.encode(this.template.renderQuestion(question, pictures.length));
    return { ids: expandImageTokens(ids, this.config.imageTokenId, cells), images };
  }

  /** A response as the policy would sample it: its tokens, then the token that ends the turn. */
  encodeResponse(text: string): Int32Array {
    const ids = this.tokenizer.encode(text);
    const end = this.config.text.eosTokenIds[0] ?? this.tokenizer.eosTokenId;
    if (end === undefined)
      throw new ConfigError("config.json: text_config.eos_token_id is missing, so a response has no end token.");
    return Int32Array.of(...ids, end);
  }
}

/**
 * Limits pictures to `maxPixels`, and never above the folder's own limit.
 * @throws ConfigError when one cell is already larger
 */
function atMost(config: ImageProcessorConfig, maxPixels: number): ImageProcessorConfig {
  const cell = (config.patchSize * config.mergeSize) ** 2;
  if (maxPixels < cell)
    throw new ConfigError(
      `maxPixels is ${maxPixels}, but one token of a picture is ${cell} pixels; expected at least that.`,
    );
  return {
    ...config,
    maxPixels: Math.min(config.maxPixels, maxPixels),
    minPixels: Math.min(config.minPixels, maxPixels),
  };
}
