/**
 * Qwen2-VL's choice of size: the nearest height and width that are multiples of `factor` (patch · merge), with the
 * number of pixels kept within bounds and the aspect ratio kept as closely as possible. Follows transformers 5.18,
 * which inherits Python's rounding of halves to even: 70/28 = 2.5 becomes 2.
 */

/** A picture that cannot be resized to a size the model accepts. */
export class ImageSizeError extends Error {
  override readonly name = "ImageSizeError";
}

/** Longest side over shortest side must not exceed this. */
const MAX_ASPECT = 200;

/** Python's round(): to the nearest integer, halves to the even one. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const fraction = x - floor;
  if (fraction !== 0.5) return fraction < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * @param factor both sides become multiples of this
 * @returns height and width in pixels
 * @throws ImageSizeError when a side is empty or the aspect ratio exceeds 200
 */
export function smartResize(
  height: number,
  width: number,
  factor: number,
  minPixels: number,
  maxPixels: number,
): { height: number; width: number } {
  if (!(height >= 1 && width >= 1))
    throw new ImageSizeError(`The picture is ${width}×${height} pixels, expected at least 1×1.`);
  const aspect = Math.max(height, width) / Math.min(height, width);
  if (aspect > MAX_ASPECT)
    throw new ImageSizeError(
      `The picture is ${width}×${height} pixels, an aspect ratio of ${aspect.toFixed(1)}, expected at most ` +
        `${MAX_ASPECT}. Crop or pad it.`,
    );
  const rounded = { height: roundHalfEven(height / factor) * factor, width: roundHalfEven(width / factor) * factor };
  const pixels = rounded.height * rounded.width;
  if (pixels > maxPixels) {
    const shrink = Math.sqrt((height * width) / maxPixels);
    const side = (length: number): number => Math.max(factor, Math.floor(length / shrink / factor) * factor);
    return { height: side(height), width: side(width) };
  }
  if (pixels < minPixels) {
    const grow = Math.sqrt(minPixels / (height * width));
    const side = (length: number): number => Math.ceil((length * grow) / factor) * factor;
    return { height: side(height), width: side(width) };
  }
  return rounded;
}
