/**
 * Features of full-size pictures, kept on the device from step to step while the tower is frozen: a data set repeats
 * every epoch, and the tower costs as much as the decoder on a prompt. The least recently used are dropped beyond
 * a number of bytes.
 *
 * A cached picture goes through the tower alone, so its features do not depend on the other pictures, and a run
 * resumed with an empty cache gives the same bits. Small pictures (the nano policies') go through the tower together
 * and are not cached: their tower is fast.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../tensor/backend";
import type { EncodedPrompt } from "./packing";

export interface PictureFeatureOptions {
  /** Maximum size of the cache on the device. */
  readonly bytes: number;
  /** A prompt's pictures are cached from this many merged cells on: 64 are 224 × 224 pixels at full size. */
  readonly fromCells: number;
}

export const USUAL_PICTURE_FEATURES: PictureFeatureOptions = { bytes: 256 * 2 ** 20, fromCells: 64 };

export class PictureFeatures {
  /** By hash of the pictures' contents, least recently used first. */
  private readonly kept = new Map<string, Tensor>();
  private bytes = 0;
  private version = -1;

  /** @param make features [cells, width] of one prompt's pictures, in window order */
  constructor(
    private readonly backend: Backend,
    private readonly options: PictureFeatureOptions,
    private readonly make: (prompt: EncodedPrompt) => Tensor,
  ) {}

  /** Whether a prompt among these has pictures worth caching. Then all prompts go through `bank`. */
  concerns(cells: readonly number[]): boolean {
    return cells.some((count) => count >= this.options.fromCells);
  }

  /**
   * Features of all prompts one below the other; the caller disposes it.
   * @param cells merged cells of each prompt
   * @param version of the tower's weights; a new one empties the cache
   */
  bank(prompts: readonly EncodedPrompt[], cells: readonly number[], width: number, version: number): Tensor {
    if (version !== this.version) this.dispose();
    this.version = version;
    const { backend } = this;
    const all = backend.zeros([cells.reduce((sum, count) => sum + count, 0), width]);
    let row = 0;
    prompts.forEach((prompt, i) => {
      const count = cells[i] ?? 0;
      if (count === 0) return;
      const features = this.featuresOf(prompt);
      const first = row;
      const rows = backend.upload(
        Int32Array.from({ length: count }, (_, cell) => first + cell),
        [count],
      );
      backend.kernels.copyRows(features, { offset: 0, count: width }, rows, 0, all);
      rows.dispose();
      row += count;
      this.trim();
    });
    return all;
  }

  dispose(): void {
    for (const tensor of this.kept.values()) tensor.dispose();
    this.kept.clear();
    this.bytes = 0;
  }

  private featuresOf(prompt: EncodedPrompt): Tensor {
    const name = contents(prompt);
    const known = this.kept.get(name);
    this.kept.delete(name);
    const features = known ?? this.make(prompt);
    if (known === undefined) this.bytes += 4 * features.size;
    this.kept.set(name, features);
    return features;
  }

  private trim(): void {
    for (const [name, tensor] of this.kept) {
      if (this.bytes <= this.options.bytes) return;
      this.kept.delete(name);
      this.bytes -= 4 * tensor.size;
      tensor.dispose();
    }
  }
}

/**
 * Grids and pixels of a prompt's pictures as a name: two FNV-1a hashes of 32 bits over the bits of the patches, from
 * different starts.
 */
function contents({ images }: EncodedPrompt): string {
  return images
    .map(({ patches, grid: { frames, height, width } }) => {
      const words = new Uint32Array(patches.buffer, patches.byteOffset, patches.length);
      let [a, b] = [0x811c9dc5, 0x050c5d1f];
      for (const word of words) {
        a = Math.imul(a ^ word, 0x01000193);
        b = Math.imul(b ^ (word >>> 13) ^ (word << 19), 0x01000193);
      }
      return `${frames}×${height}×${width} ${(a >>> 0).toString(16)} ${(b >>> 0).toString(16)}`;
    })
    .join(" ");
}
