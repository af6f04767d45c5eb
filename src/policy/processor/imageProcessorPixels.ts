/** Pictures as plain RGB bytes, and conversions to it from other layouts (as PIL's conversion to RGB). */

export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** Row-major, 3 bytes per pixel: R, G, B. */
  readonly pixels: Uint8Array | Uint8ClampedArray;
}

function checkLength(pixels: ArrayLike<number>, width: number, height: number, channels: number): void {
  if (pixels.length !== width * height * channels) {
    throw new Error(
      `A picture of ${width}×${height} pixels with ${channels} bytes each needs ${width * height * channels} ` +
        `bytes, got ${pixels.length}.`,
    );
  }
}

/** @throws Error when the bytes do not fill the picture */
export function checkRgb(image: RgbImage): void {
  checkLength(image.pixels, image.width, image.height, 3);
}

/** RGBA bytes (a canvas, a decoded PNG) → RGB; alpha is dropped, not blended. */
export function rgbFromRgba(rgba: Uint8Array | Uint8ClampedArray, width: number, height: number): RgbImage {
  checkLength(rgba, width, height, 4);
  const pixels = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    pixels[to++] = rgba[from]!;
    pixels[to++] = rgba[from + 1]!;
    pixels[to++] = rgba[from + 2]!;
  }
  return { width, height, pixels };
}

/** One byte per pixel (grey levels) → RGB with equal channels. */
export function rgbFromGray(gray: Uint8Array | Uint8ClampedArray, width: number, height: number): RgbImage {
  checkLength(gray, width, height, 1);
  const pixels = new Uint8Array(width * height * 3);
  gray.forEach((level, i) => pixels.fill(level, 3 * i, 3 * i + 3));
  return { width, height, pixels };
}
