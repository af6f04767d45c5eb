/**
 * Where the image features of prompts lie: the tower returns the features of a picture's merged cells in window order,
 * so an index maps each cell to its feature. Remembered per prompt, because prompts are packed again and again.
 */
import type { VisionConfig } from "../checkpoint/config";
import type { EncodedPrompt, FeatureIndex } from "./packing";
import { visionWindowLayout } from "./vision";

export class FeatureIndices {
  private readonly known = new WeakMap<EncodedPrompt, Int32Array>();

  constructor(private readonly config: VisionConfig) {}

  /** Index in window order of each of a prompt's merged cells. */
  ofCells(prompt: EncodedPrompt): Int32Array {
    const known = this.known.get(prompt);
    if (known !== undefined) return known;
    const { featureIndex } = visionWindowLayout(
      prompt.images.map((image) => image.grid),
      this.config,
    );
    this.known.set(prompt, featureIndex);
    return featureIndex;
  }

  /** First row of each prompt's features when the features of all follow one another. */
  firstRows(prompts: readonly EncodedPrompt[]): Map<EncodedPrompt, number> {
    let row = 0;
    return new Map(
      prompts.map((prompt) => {
        const first = row;
        row += this.ofCells(prompt).length;
        return [prompt, first];
      }),
    );
  }

  /** @throws Error when the rows do not include this prompt's. */
  from(prompt: EncodedPrompt, firstRows: ReadonlyMap<EncodedPrompt, number>): FeatureIndex {
    const firstRow = firstRows.get(prompt);
    if (firstRow === undefined) throw new Error("The feature bank does not hold this prompt's pictures.");
    return { firstRow, cells: this.ofCells(prompt) };
  }
}
