/**
 * Image files to RGB pixels and back, by sharp (BMP by bitmap.ts). Resizing is done in src/policy/processor, exactly as
 * the model's own.
 */
import sharp, { type OutputInfo, type Sharp } from "sharp";
import type { Picture } from "../../tasks/problem";
import { decodeBitmap, isBitmap } from "./bitmap";

/** Larger images are rejected before decoding, so a hostile file cannot fill the memory. */
export const MAX_PIXELS = 100_000_000;

/** A picture that cannot be read. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

/**
 * An encoded image (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP) as 8-bit RGB, as `datasets` and transformers get it from
 * Pillow: rotated by its EXIF orientation, then `convert("RGB")`. So an embedded colour profile is ignored, alpha is
 * dropped, CMYK is converted by Pillow's formula, and grey of 16 bits is cut off at 255. Of several frames the first.
 * docs/runner.md says what stays different.
 * @throws PictureError when the bytes cannot be decoded as an image
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  try {
    return isBitmap(bytes) ? decodeBitmap(bytes, MAX_PIXELS) : await decodeBySharp(bytes);
  } catch (error) {
    throw new PictureError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function decodeBySharp(bytes: Uint8Array): Promise<Picture> {
  const input = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "error", ignoreIcc: true });
  const { space, format, hasAlpha } = await input.metadata();
  if (format === "svg" || format === "pdf")
    throw new Error(`the file is ${format.toUpperCase()}, which has no pixels of its own; expected an image file`);
  const upright = input.autoOrient();
  if (space === "cmyk") return rgbOf(await rawOf(upright.pipelineColourspace("cmyk").toColourspace("cmyk")), cmykPixel);
  if (space === "grey16" && hasAlpha !== true) {
    const { data, info } = await upright.toColourspace("grey16").raw({ depth: "ushort" }).toBuffer(WITH_INFO);
    const values = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
    return rgbOf({ values, channels: info.channels, ...sizeOf(info) }, (at) => {
      const level = Math.min(255, values[at] ?? 0);
      return [level, level, level];
    });
  }
  const { values, channels, width, height } = await rawOf(upright.toColourspace("srgb").removeAlpha());
  if (channels !== 3) throw new Error(`the image has ${channels} channels after decoding, expected 3 (RGB)`);
  return { width, height, pixels: values };
}

const WITH_INFO = { resolveWithObject: true } as const;

interface Raw<Values> {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly values: Values;
}

const sizeOf = ({ width, height }: OutputInfo): { width: number; height: number } => ({ width, height });

async function rawOf(image: Sharp): Promise<Raw<Uint8Array>> {
  const { data, info } = await image.raw({ depth: "uchar" }).toBuffer(WITH_INFO);
  return {
    ...sizeOf(info),
    channels: info.channels,
    values: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function rgbOf<Values extends ArrayLike<number>>(
  { width, height, channels, values }: Raw<Values>,
  rgb: (at: number, values: Values) => readonly number[],
): Picture {
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i++) pixels.set(rgb(channels * i, values), 3 * i);
  return { width, height, pixels };
}

/** Pillow's cmyk2rgb: (255 − K) − C·(255 − K)/255, rounded. */
function cmykPixel(at: number, values: Uint8Array): readonly number[] {
  const light = 255 - (values[at + 3] ?? 0);
  return [0, 1, 2].map((channel) => {
    const product = (values[at + channel] ?? 0) * light + 128;
    return light - (((product >> 8) + product) >> 8);
  });
}

/** The picture as a PNG file, lossless. */
export async function encodePng({ width, height, pixels }: Picture): Promise<Uint8Array> {
  return new Uint8Array(
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}
