/**
 * Image files to RGB pixels and back, by sharp: decoding only. Resizing is the image processor's business (src/policy),
 * which does it exactly as the model's own preprocessor does.
 */
import sharp from "sharp";
import type { Picture } from "../../tasks/problem";

/** Pictures of more pixels are refused before they are decoded: a hostile file must not fill the memory. */
export const MAX_PIXELS = 100_000_000;

/**
 * An encoded image (PNG, JPEG, WebP, GIF, TIFF, AVIF) as 8-bit RGB, turned upright as its EXIF orientation says, as the
 * Python processors do; transparency is laid over white; of several frames the first.
 * @throws Error when the bytes are no image that can be decoded
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

/** The picture as a PNG file, without loss. */
export async function encodePng({ width, height, pixels }: Picture): Promise<Uint8Array> {
  return new Uint8Array(
    await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer(),
  );
}
