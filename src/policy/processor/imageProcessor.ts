/**
 * From a picture to the vision tower's input rows, as transformers' Qwen2VLImageProcessor: smart resize, bicubic
 * resampling, scaling and normalisation, the frame repeated in time, patches ordered by merged cell. Sizes come from
 * the folder (processorConfig.ts); where it is silent, the class's defaults in transformers 5 hold (min 3136, max
 * 1,003,520 pixels; the published folders say 12,845,056).
 */
import { z } from "zod";
import { parseJson, parseWith } from "../checkpoint/configJson";
import { resizeBicubic } from "./bicubic";
import { checkRgb, type RgbImage } from "./imageProcessorPixels";
import { ImageSizeError, smartResize } from "./smartResize";

const perChannel = z.tuple([z.number(), z.number(), z.number()]);
const positive = z.int().positive();

/** Qwen2VLImageProcessor.size in transformers 5.18: 56² and 28² · 1280. */
const DEFAULT_PIXELS = { min: 56 * 56, max: 28 * 28 * 1280 };

/** Pixel bounds are spelled min_pixels/max_pixels at the top, or inside `size` with either of two names. */
const preprocessorSchema = z.looseObject({
  min_pixels: positive.nullish(),
  max_pixels: positive.nullish(),
  size: z
    .looseObject({
      shortest_edge: positive.nullish(),
      longest_edge: positive.nullish(),
      min_pixels: positive.nullish(),
      max_pixels: positive.nullish(),
    })
    .nullish(),
  patch_size: positive.default(14),
  merge_size: positive.default(2),
  temporal_patch_size: positive.default(2),
  do_resize: z.boolean().default(true),
  do_rescale: z.literal(true).default(true),
  do_normalize: z.literal(true).default(true),
  resample: z.literal(3, "only bicubic resampling (3) is supported").default(3),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  image_mean: perChannel.default([0.48145466, 0.4578275, 0.40821073]),
  image_std: perChannel.default([0.26862954, 0.26130258, 0.27577711]),
});

export interface ImageProcessorConfig {
  readonly patchSize: number;
  readonly mergeSize: number;
  readonly temporalPatchSize: number;
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly resize: boolean;
  readonly rescaleFactor: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Rows for the vision tower. */
export interface ProcessedImage {
  /**
   * [gridT·gridH·gridW, channels·temporal·patch·patch], rows ordered (cell row, cell column, row in cell, column in
   * cell).
   */
  readonly pixelValues: Float32Array;
  readonly rowLength: number;
  /** Frames, patch rows, patch columns. */
  readonly grid: readonly [number, number, number];
}

/**
 * Parse preprocessor_config.json (bytes, text or parsed JSON), or a section of another file.
 * @param section keys under which the section lies in the file, for messages
 * @throws ConfigError naming `file` and each offending key
 */
export function parsePreprocessorConfig(
  content: Uint8Array | string | Readonly<Record<string, unknown>>,
  file = "preprocessor_config.json",
  section = "",
): ImageProcessorConfig {
  const json: unknown =
    content instanceof Uint8Array || typeof content === "string" ? parseJson(content, file) : content;
  const p = parseWith(preprocessorSchema, json, file, section);
  return {
    patchSize: p.patch_size,
    mergeSize: p.merge_size,
    temporalPatchSize: p.temporal_patch_size,
    minPixels: p.min_pixels ?? p.size?.shortest_edge ?? p.size?.min_pixels ?? DEFAULT_PIXELS.min,
    maxPixels: p.max_pixels ?? p.size?.longest_edge ?? p.size?.max_pixels ?? DEFAULT_PIXELS.max,
    resize: p.do_resize,
    rescaleFactor: p.rescale_factor,
    mean: p.image_mean,
    std: p.image_std,
  };
}

/** The contents of preprocessor_config.json that `transformers` and `parsePreprocessorConfig` read back as `config`. */
export function preprocessorConfigJson(config: ImageProcessorConfig): Record<string, unknown> {
  return {
    image_processor_type: "Qwen2VLImageProcessor",
    processor_class: "Qwen2_5_VLProcessor",
    do_convert_rgb: true,
    do_resize: config.resize,
    do_rescale: true,
    do_normalize: true,
    resample: 3,
    rescale_factor: config.rescaleFactor,
    image_mean: config.mean,
    image_std: config.std,
    min_pixels: config.minPixels,
    max_pixels: config.maxPixels,
    size: { shortest_edge: config.minPixels, longest_edge: config.maxPixels },
    patch_size: config.patchSize,
    merge_size: config.mergeSize,
    temporal_patch_size: config.temporalPatchSize,
  };
}

/** Normalised value of each byte of each channel: 3 × 256. */
function normalisationTable({ rescaleFactor, mean, std }: ImageProcessorConfig): Float32Array[] {
  return mean.map((m, c) => Float32Array.from({ length: 256 }, (_, byte) => (byte * rescaleFactor - m) / std[c]!));
}

export class ImageProcessor {
  private readonly table: readonly Float32Array[];

  constructor(readonly config: ImageProcessorConfig) {
    this.table = normalisationTable(config);
  }

  /** Size after resizing, and the patch grid. @throws ImageSizeError */
  targetSize(width: number, height: number): { width: number; height: number } {
    const { patchSize, mergeSize, minPixels, maxPixels, resize } = this.config;
    const factor = patchSize * mergeSize;
    if (resize) return smartResize(height, width, factor, minPixels, maxPixels);
    if (width % factor !== 0 || height % factor !== 0)
      throw new ImageSizeError(
        `The picture is ${width}×${height} pixels and do_resize is false; both sides must be multiples of ${factor}.`,
      );
    return { width, height };
  }

  /** Image tokens that a picture of this size becomes: its merged cells. */
  tokenCount(width: number, height: number): number {
    const size = this.targetSize(width, height);
    return (size.width * size.height) / (this.config.patchSize * this.config.mergeSize) ** 2;
  }

  /** @throws ImageSizeError when no permitted size fits the picture */
  process(image: RgbImage): ProcessedImage {
    checkRgb(image);
    const size = this.targetSize(image.width, image.height);
    const { pixels, width, height } = resizeBicubic(image, size.width, size.height);
    const { patchSize: patch, mergeSize: merge, temporalPatchSize: frames } = this.config;
    const [gridH, gridW] = [height / patch, width / patch];
    const rowLength = 3 * frames * patch * patch;
    const pixelValues = new Float32Array(gridH * gridW * rowLength);
    let to = 0;
    for (let cellRow = 0; cellRow < gridH; cellRow += merge) {
      for (let cellColumn = 0; cellColumn < gridW; cellColumn += merge) {
        for (let inCell = 0; inCell < merge * merge; inCell++) {
          const top = (cellRow + Math.floor(inCell / merge)) * patch;
          const left = (cellColumn + (inCell % merge)) * patch;
          for (let channel = 0; channel < 3; channel++) {
            const values = this.table[channel]!;
            const frameStart = to;
            for (let y = top; y < top + patch; y++) {
              let from = (y * width + left) * 3 + channel;
              for (let x = 0; x < patch; x++, from += 3) pixelValues[to++] = values[pixels[from]!]!;
            }
            // A still picture stands for every frame of the temporal patch.
            const frameLength = to - frameStart;
            for (let frame = 1; frame < frames; frame++, to += frameLength)
              pixelValues.copyWithin(to, frameStart, frameStart + frameLength);
          }
        }
      }
    }
    return { pixelValues, rowLength, grid: [1, gridH, gridW] };
  }
}
