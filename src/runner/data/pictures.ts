/**
 * Image files to RGB pixels and back, by sharp. Resizing is done in src/policy/processor, exactly as the model's own.
 */
import sharp from "sharp";
import type { Picture } from "../../tasks/problem";

/** Larger images are rejected before decoding, so a hostile file cannot fill the memory. */
export const MAX_PIXELS = 100_000_000;

/**
 * An encoded image (PNG, JPEG, WebP, GIF, TIFF, AVIF) as 8-bit RGB, rotated by its EXIF orientation as the Python
 * processors do; transparency over white; the first frame of several.
 * @throws Error when the bytes cannot be decoded as an image
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const { data, info } = await sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "error" })
    .rotate()
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb")
    .removeAlpha()
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`the image has ${info.channels} channels after decoding, expected 3 (RGB)`);
  return {
    width: info.width,
    height: info.height,
    pixels: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

/** The picture as a PNG file, lossless. */
export async function encodePng({ width, height, pixels }: Picture): Promise<Uint8Array> {
  return new Uint8Array(
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}
