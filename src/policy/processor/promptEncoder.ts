/**
 * From a question and a picture to token ids and patches: the folder's chat template, tokenizer and image processor,
 * checked against each other. Special tokens are the template's own: one that a question or a response spells
 * (`<|image_pad|>`, `<|im_end|>`, …) is text to the policy, as with transformers' `split_special_tokens`.
 */

import type { CheckpointFiles } from "../checkpoint/checkpointFiles";
import type { PolicyConfig } from "../checkpoint/config";
import { ConfigError } from "../checkpoint/configJson";
import type { ImagePatches } from "../layers/imagePatches";
import { ChatTemplate, ChatTemplateError, expandImageTokens, refuseOtherCount } from "./chatTemplate";
import { ImageProcessor, type ImageProcessorConfig } from "./imageProcessor";
import type { RgbImage } from "./imageProcessorPixels";
import { openProcessorConfig } from "./processorConfig";
import { PolicyTokenizer, TokenizerError } from "./tokenizer";

/** How long a prompt is, and how large its pictures are after resizing. */
export interface PromptSize {
  readonly tokens: number;
  readonly pictures: readonly { readonly width: number; readonly height: number; readonly tokens: number }[];
}

export class PromptEncoder {
  private constructor(
    readonly tokenizer: PolicyTokenizer,
    private readonly template: ChatTemplate,
    private readonly processor: ImageProcessor,
    private readonly config: PolicyConfig,
    /** The token that ends a turn; null when neither template, tokenizer nor configuration names one. */
    readonly endOfTurn: number | null,
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
    const preprocessor = await openProcessorConfig(files, config.vision);
    const tokenizer = await PolicyTokenizer.open(files);
    const template = await ChatTemplate.open(files);
    const encoder = new PromptEncoder(
      tokenizer,
      template,
      new ImageProcessor(maxPixels === null ? preprocessor : atMost(preprocessor, maxPixels)),
      config,
      endOfTurn(template, tokenizer, config.text),
    );
    encoder.refuseForeignTemplate();
    return encoder;
  }

  /** A damaged template, or one of another policy, would otherwise be blamed on every question. */
  private refuseForeignTemplate(): void {
    try {
      refuseOtherCount(this.promptIds("", 1), this.config.imageTokenId, 1);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new ChatTemplateError(`${this.template.where}: it does not fit the tokenizer: ${why}`);
    }
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
    const ids = this.promptIds(question, pictures.length);
    return { ids: expandImageTokens(ids, this.config.imageTokenId, cells), images };
  }

  /** What `encode` would make, without the pixels. @throws as `encode` does */
  measure(question: string, pictures: readonly Pick<RgbImage, "width" | "height">[]): PromptSize {
    const sized = pictures.map(({ width, height }) => ({
      ...this.processor.targetSize(width, height),
      tokens: this.processor.tokenCount(width, height),
    }));
    const ids = this.promptIds(question, pictures.length);
    refuseOtherCount(ids, this.config.imageTokenId, sized.length);
    return { tokens: ids.length + sized.reduce((sum, { tokens }) => sum + tokens - 1, 0), pictures: sized };
  }

  /** Ids of the rendered prompt, one image token a picture; special tokens that the question spells are text. */
  private promptIds(question: string, pictures: number): Int32Array {
    const shield = shieldFor(question);
    const rendered = this.template.renderQuestion(this.tokenizer.shielded(question, shield), pictures);
    return this.tokenizer.encodeShielded(rendered, shield);
  }

  /**
   * A response as the policy would sample it: its tokens, then the token that ends the turn. Special tokens in the text
   * are text.
   */
  encodeResponse(text: string): Int32Array {
    const ids = this.tokenizer.encodeText(text);
    if (this.endOfTurn === null)
      throw new ConfigError(
        "A response has no end token: the chat template closes no turn, tokenizer_config.json has no eos_token and " +
          "config.json no eos_token_id. Add one of them.",
      );
    return Int32Array.of(...ids, this.endOfTurn);
  }
}

/** A character that no text uses: of Unicode's noncharacters U+FDD0 to U+FDEF the first that this one does not hold. */
function shieldFor(text: string): string {
  const shields = Array.from({ length: 32 }, (_, i) => String.fromCharCode(0xfdd0 + i));
  const free = shields.find((character) => !text.includes(character));
  if (free === undefined)
    throw new TokenizerError(
      "The question holds every noncharacter from U+FDD0 to U+FDEF; expected a text without one of them.",
    );
  return free;
}

/**
 * The token that the chat template writes after an assistant's words (`<|im_end|>` in the family), else the tokenizer's
 * `eos_token`, else the first of the configuration's: a list of end tokens does not say which of them ends a turn.
 */
function endOfTurn(
  template: ChatTemplate,
  tokenizer: PolicyTokenizer,
  { eosTokenIds }: PolicyConfig["text"],
): number | null {
  const closing = template.closing();
  const [first] = closing === null ? [] : tokenizer.encode(closing, { unknown: "replace" });
  if (first !== undefined && (tokenizer.isSpecial(first) || eosTokenIds.includes(first))) return first;
  return tokenizer.eosTokenId ?? eosTokenIds[0] ?? null;
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
