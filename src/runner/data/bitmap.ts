/**
 * BMP files, which sharp's build does not read: uncompressed, with 1, 4, 8, 24 or 32 bits a pixel, upside down or not.
 * A fourth channel is dropped, as Pillow does.
 */
import type { Picture } from "../../tasks/problem";

const DEPTHS = [1, 4, 8, 24, 32];

export function isBitmap(bytes: Uint8Array): boolean {
  return bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/** @throws Error saying what of the file is wrong or not read */
export function decodeBitmap(bytes: Uint8Array, maxPixels: number): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 54) throw new Error(`the BMP file ends after ${bytes.length} bytes, within its header`);
  const header = view.getUint32(14, true);
  if (header < 40) throw new Error(`a BMP file with a header of ${header} bytes is not read; expected 40 or more`);
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const height = Math.abs(signedHeight);
  const depth = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  if (width < 1 || height < 1 || width * height > maxPixels)
    throw new Error(`the BMP file says it has ${width}×${height} pixels; expected 1 to ${maxPixels}`);
  if (!DEPTHS.includes(depth) || compression !== 0)
    throw new Error(
      `BMP with ${depth} bits a pixel and compression ${compression} is not read; expected ${DEPTHS.join(", ")} bits ` +
        "without compression, or a PNG file",
    );
  const start = view.getUint32(10, true);
  const stride = 4 * Math.ceil((width * depth) / 32);
  if (start + stride * height > bytes.length)
    throw new Error(`the BMP file is truncated: ${bytes.length} bytes, expected ${start + stride * height}`);
  const colours = depth > 8 ? 0 : view.getUint32(46, true) || 2 ** depth;
  const palette = 14 + header;
  if (palette + 4 * colours > bytes.length) throw new Error("the BMP file is truncated: it ends within its palette");
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const row = start + stride * (signedHeight > 0 ? height - 1 - y : y);
    for (let x = 0; x < width; x++) {
      let at = row + (x * depth) / 8;
      if (depth <= 8) {
        const bit = x * depth;
        const index = ((bytes[row + (bit >> 3)] ?? 0) >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
        if (index >= colours) throw new Error(`the BMP file has colour ${index}, but its palette only ${colours}`);
        at = palette + 4 * index;
      }
      const to = 3 * (y * width + x);
      for (let channel = 0; channel < 3; channel++) pixels[to + channel] = bytes[at + 2 - channel] ?? 0;
    }
  }
  return { width, height, pixels };
}
