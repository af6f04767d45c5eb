/**
 * A problem's picture, each pixel a crisp square, exactly as the policy receives it; one with more pixels than the
 * place has is scaled down.
 */
import { useEffect, useRef } from "react";
import type { ProblemRecord } from "../../worker/protocol";

interface PixelPictureProps {
  readonly picture: ProblemRecord["picture"];
  /** Longer side in CSS pixels. */
  readonly size: number;
  readonly alt: string;
}

export function PixelPicture({ picture, size, alt }: PixelPictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, pixels } = picture;
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(width, height);
    for (let at = 0; at < width * height; at++) {
      image.data[at * 4] = pixels[at * 3] ?? 0;
      image.data[at * 4 + 1] = pixels[at * 3 + 1] ?? 0;
      image.data[at * 4 + 2] = pixels[at * 3 + 2] ?? 0;
      image.data[at * 4 + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }, [width, height, pixels]);
  const scale = size / Math.max(width, height);
  return (
    <canvas
      ref={canvas}
      className={scale < 1 ? "picture is-fine" : "picture"}
      width={width}
      height={height}
      style={{ width: scale * width, height: scale * height }}
      role="img"
      aria-label={alt}
    />
  );
}
