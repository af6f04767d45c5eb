/**
 * Golden files: what another implementation (transformers) computed for a checkpoint, in the layout of
 * `golden/<name>/reference.safetensors`. Inputs (a left-padded batch with pictures), M-RoPE positions, image
 * features, logits, loss, a gradient for every parameter (`grad.<name>`) and greedily generated tokens.
 */
import type { PolicyConfig } from "../checkpoint/config";
import type { Safetensors } from "../checkpoint/safetensors";
import { readFloat32, readInt32 } from "../checkpoint/safetensorsValues";
import type { ImageGrid, ImagePatches } from "../layers/imagePatches";

/** One sequence of the batch, without its padding. */
export interface GoldenSequence {
  /** Index of the first real token in the padded row. */
  readonly offset: number;
  readonly ids: Int32Array;
  /** The id to predict at each index, or −100. */
  readonly labels: Int32Array;
  readonly images: readonly ImagePatches[];
}

export interface GoldenInputs {
  readonly batch: number;
  /** Padded length. */
  readonly length: number;
  readonly sequences: readonly GoldenSequence[];
}

/** @throws Error naming the tensor that is missing or does not fit the others. */
export function goldenInputs(file: Safetensors, config: PolicyConfig): GoldenInputs {
  const [batch = 0, length = 0] = file.entry("input_ids").shape;
  const ids = readInt32(file, "input_ids");
  const mask = readInt32(file, "attention_mask");
  const labels = readInt32(file, "labels");
  const pictures = file.has("pixel_values") ? readPictures(file) : [];
  let next = 0;
  const sequences = Array.from({ length: batch }, (_, row): GoldenSequence => {
    const start = row * length;
    const first = mask.subarray(start, start + length).indexOf(1);
    const own = ids.slice(start + first, start + length);
    let cells = own.reduce((count, id) => count + (id === config.imageTokenId ? 1 : 0), 0);
    const images: ImagePatches[] = [];
    while (cells > 0) {
      const picture = pictures[next++];
      if (picture === undefined)
        throw new Error(`Golden file: sequence ${row} has more image tokens than image_grid_thw has cells.`);
      images.push(picture);
      cells -= cellCount(picture.grid, config.vision.spatialMergeSize);
    }
    return { offset: first, ids: own, labels: labels.slice(start + first, start + length), images };
  });
  return { batch, length, sequences };
}

function cellCount(grid: ImageGrid, mergeSize: number): number {
  return (grid.frames * grid.height * grid.width) / mergeSize ** 2;
}

function readPictures(file: Safetensors): ImagePatches[] {
  const grids = readInt32(file, "image_grid_thw");
  const values = readFloat32(file, "pixel_values");
  const width = file.entry("pixel_values").shape[1] ?? 0;
  let row = 0;
  return Array.from({ length: grids.length / 3 }, (_, i) => {
    const grid: ImageGrid = { frames: grids[3 * i] ?? 0, height: grids[3 * i + 1] ?? 0, width: grids[3 * i + 2] ?? 0 };
    const start = row;
    row += grid.frames * grid.height * grid.width;
    if (row * width > values.length)
      throw new Error(`Golden file: pixel_values ends before picture ${i} of image_grid_thw.`);
    return { patches: values.slice(start * width, row * width), grid };
  });
}
