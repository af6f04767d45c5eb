/**
 * Multimodal rotary positions (M-RoPE) of Qwen2.5-VL, on the host. A token has three positions (time, height, width):
 * equal for text; for the cell (row, col) of an image's merged grid, starting at s: t = s + frame, h = s + row,
 * w = s + col, and the text after it continues at s + max(rows, cols). Frequencies are shared out among the three by
 * `mropeSection`. Follows transformers 5.18 (`get_rope_index`), for still images.
 */
import type { ImageGrid } from "./imagePatches";

export interface MropePositions {
  /** [3, length] row-major: all t, then all h, then all w. */
  readonly positions: Int32Array;
  /** max + 1 − length: a later text token at sequence index i has position i + delta. */
  readonly delta: number;
}

/**
 * @param ids token ids, one image token for each merged cell
 * @param grids of the images in order of appearance, in patches
 * @throws Error when the image tokens do not match the grids
 */
export function mropePositions(
  ids: ArrayLike<number>,
  imageToken: number,
  grids: readonly ImageGrid[],
  mergeSize: number,
): MropePositions {
  const length = ids.length;
  const positions = new Int32Array(3 * length);
  let next = 0;
  let image = 0;
  for (let i = 0; i < length; ) {
    if (ids[i] !== imageToken) {
      for (let axis = 0; axis < 3; axis++) positions[axis * length + i] = next;
      next++;
      i++;
      continue;
    }
    const grid = grids[image++];
    if (grid === undefined)
      throw new Error(`M-RoPE: the text has image tokens for more than its ${grids.length} images.`);
    const rows = grid.height / mergeSize;
    const columns = grid.width / mergeSize;
    for (let cell = 0; cell < grid.frames * rows * columns; cell++, i++) {
      if (ids[i] !== imageToken) {
        throw new Error(
          `M-RoPE: image ${image - 1} needs ${grid.frames * rows * columns} image tokens, the text has ${cell}.`,
        );
      }
      positions[i] = next + Math.floor(cell / (rows * columns));
      positions[length + i] = next + (Math.floor(cell / columns) % rows);
      positions[2 * length + i] = next + (cell % columns);
    }
    next += Math.max(rows, columns);
  }
  if (image !== grids.length) throw new Error(`M-RoPE: ${grids.length} images but the text has tokens for ${image}.`);
  return { positions, delta: positions.reduce((max, p) => Math.max(max, p), -1) + 1 - length };
}

/** The inverse frequencies theta^(−2i/headDim), in float32 as the trainers compute them. [headDim/2] */
export function inverseFrequencies(headDim: number, theta: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, i) => 1 / Math.fround(theta ** Math.fround((2 * i) / headDim)));
}

/** Which of t (0), h (1), w (2) drives each frequency: `section` gives how many in turn. [headDim/2] */
export function mropeAxes(section: readonly number[], headDim: number): Uint8Array {
  const axes = section.flatMap((count, i) => Array.from({ length: count }, () => i % 3));
  if (axes.length !== headDim / 2) {
    throw new Error(
      `M-RoPE: mrope_section [${section.join(", ")}] covers ${axes.length} frequencies, a head of ${headDim} has ` +
        `${headDim / 2}.`,
    );
  }
  return Uint8Array.from(axes);
}

/** Everything about the angles that depends on the model only. */
export interface MropeFrequencies {
  readonly inverse: Float32Array;
  readonly axes: Uint8Array;
}

export function mropeFrequencies(headDim: number, theta: number, section: readonly number[]): MropeFrequencies {
  return { inverse: inverseFrequencies(headDim, theta), axes: mropeAxes(section, headDim) };
}

/**
 * cos and sin of every angle by position: positions are small integers that recur in every batch, so each angle is
 * computed once. A row holds the headDim/2 angles of a text token at that position; other tokens mix three rows.
 */
export class MropeAngles {
  /** Angles of a row: headDim/2. */
  readonly half: number;
  private cos = new Float32Array(0);
  private sin = new Float32Array(0);
  private count = 0;

  constructor(private readonly frequencies: MropeFrequencies) {
    this.half = frequencies.inverse.length;
  }

  /** The angles of a token at (t, h, w), from element `offset` of cos and sin on. */
  write(t: number, h: number, w: number, cos: Float32Array, sin: Float32Array, offset: number): void {
    const {
      half,
      frequencies: { axes },
    } = this;
    this.reach(Math.max(t, h, w) + 1);
    for (let i = 0; i < half; i++) {
      const axis = axes[i];
      const from = (axis === 0 ? t : axis === 1 ? h : w) * half + i;
      cos[offset + i] = this.cos[from] ?? 0;
      sin[offset + i] = this.sin[from] ?? 0;
    }
  }

  /** The angles of `count` text tokens at positions first, first + 1 …, from element `offset` on. */
  writeText(first: number, count: number, cos: Float32Array, sin: Float32Array, offset: number): void {
    this.reach(first + count);
    cos.set(this.cos.subarray(first * this.half, (first + count) * this.half), offset);
    sin.set(this.sin.subarray(first * this.half, (first + count) * this.half), offset);
  }

  private reach(count: number): void {
    if (count <= this.count) return;
    const {
      half,
      frequencies: { inverse },
    } = this;
    const wanted = Math.max(count, 2 * this.count, 256);
    const [cos, sin] = [new Float32Array(wanted * half), new Float32Array(wanted * half)];
    cos.set(this.cos);
    sin.set(this.sin);
    for (let position = this.count, at = position * half; position < wanted; position++) {
      for (let i = 0; i < half; i++, at++) {
        const angle = Math.fround(position * (inverse[i] ?? 0));
        cos[at] = Math.cos(angle);
        sin[at] = Math.sin(angle);
      }
    }
    [this.cos, this.sin, this.count] = [cos, sin, wanted];
  }
}
