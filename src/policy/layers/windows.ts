/**
 * Window attention of the vision tower, on the host: the order of merged cells by window, the patch rows that
 * see each other, and the two-dimensional rotary angles in that order. Follows transformers 5.18.
 *
 * Departure: patches and angles are permuted before they are uploaded, and the features stay in window order;
 * `featureIndex` maps a cell to its feature, so the token embedding reads it directly, without a gather.
 */
import type { ImageGrid } from "./imagePatches";

export interface WindowShape {
  readonly mergeSize: number;
  /** Side of a window in merged cells. */
  readonly windowCells: number;
}

export interface WindowLayout {
  /** Number of merged cells of all images. */
  readonly cells: number;
  /** Cell (in original order) at each index of the window order. */
  readonly cellAt: Int32Array;
  /** Inverse of `cellAt`: index in window order of each original cell. */
  readonly featureIndex: Int32Array;
  /** Boundaries of the windows in patches (transformers' cu_window_seqlens). */
  readonly windowStarts: readonly number[];
  /** Boundaries of the frames in patches (transformers' cu_seqlens). */
  readonly frameStarts: readonly number[];
}

export function windowLayout(grids: readonly ImageGrid[], shape: WindowShape): WindowLayout {
  const unit = shape.mergeSize ** 2;
  const cellAt: number[] = [];
  const windowStarts = [0];
  const frameStarts = [0];
  for (const grid of grids) {
    const rows = grid.height / shape.mergeSize;
    const columns = grid.width / shape.mergeSize;
    const side = shape.windowCells;
    for (let frame = 0; frame < grid.frames; frame++) {
      const first = cellAt.length;
      for (let top = 0; top < rows; top += side) {
        for (let left = 0; left < columns; left += side) {
          for (let row = top; row < Math.min(top + side, rows); row++) {
            for (let column = left; column < Math.min(left + side, columns); column++) {
              cellAt.push(first + row * columns + column);
            }
          }
          windowStarts.push(cellAt.length * unit);
        }
      }
      frameStarts.push(cellAt.length * unit);
    }
  }
  const featureIndex = new Int32Array(cellAt.length);
  cellAt.forEach((cell, index) => (featureIndex[cell] = index));
  return { cells: cellAt.length, cellAt: Int32Array.from(cellAt), featureIndex, windowStarts, frameStarts };
}

/** Rows between two boundaries see each other. → visible [N, 4] and seenBy [N, 2] for the attention kernel. */
export function blockVisibility(starts: readonly number[]): { visible: Int32Array; seenBy: Int32Array } {
  const rows = starts[starts.length - 1] ?? 0;
  const visible = new Int32Array(4 * rows);
  const seenBy = new Int32Array(2 * rows);
  for (let block = 0; block + 1 < starts.length; block++) {
    const start = starts[block] ?? 0;
    const end = starts[block + 1] ?? 0;
    for (let row = start; row < end; row++) {
      visible[4 * row] = seenBy[2 * row] = start;
      visible[4 * row + 1] = seenBy[2 * row + 1] = end;
    }
  }
  return { visible, seenBy };
}

/**
 * Reorder blocks of `unitLength` elements, one block for each merged cell, into window order. `values` are the cells of
 * one picture, whose cells come after `first` cells of other pictures, in `cellAt` as in `out`.
 */
export function permuteCells(
  values: Float32Array,
  cellAt: Int32Array,
  first: number,
  unitLength: number,
  out: Float32Array,
): void {
  const end = first + values.length / unitLength;
  for (let place = first; place < end; ) {
    const cell = cellAt[place] ?? 0;
    let run = 1; // neighbours that stay neighbours go together
    while (place + run < end && cellAt[place + run] === cell + run) run++;
    out.set(values.subarray((cell - first) * unitLength, (cell - first + run) * unitLength), place * unitLength);
    place += run;
  }
}

/**
 * Rotary angles of every patch, in window order. A head's first quarter of frequencies turns with the patch's row,
 * the second with its column (duplicated by the rotate-half pairing). → cos, sin [patches, headDim/2]
 */
export function visionAngles(
  grids: readonly ImageGrid[],
  layout: WindowLayout,
  mergeSize: number,
  headDim: number,
  theta: number,
): { cos: Float32Array; sin: Float32Array } {
  const half = headDim / 2;
  const quarter = headDim / 4;
  const unit = mergeSize ** 2;
  // Each angle once: row and column numbers are small, and recur in every picture.
  const sides = Math.max(...grids.map(({ height, width }) => Math.max(height, width)));
  const angleOf = new Float32Array(sides * quarter);
  for (let i = 0; i < quarter; i++) {
    const inverse = Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / half)));
    for (let n = 0; n < sides; n++) angleOf[n * quarter + i] = n * inverse;
  }
  const [cosOf, sinOf] = [angleOf.map(Math.cos), angleOf.map(Math.sin)];
  const cos = new Float32Array(layout.cells * unit * half);
  const sin = new Float32Array(layout.cells * unit * half);
  let first = 0;
  for (const grid of grids) {
    const columns = grid.width / mergeSize;
    const cells = (grid.height / mergeSize) * columns;
    for (let cell = 0; cell < grid.frames * cells; cell++) {
      const top = Math.floor((cell % cells) / columns) * mergeSize;
      const left = (cell % columns) * mergeSize;
      let at = (layout.featureIndex[first + cell] ?? 0) * unit * half;
      for (let inner = 0; inner < unit; inner++, at += half) {
        const row = (top + Math.floor(inner / mergeSize)) * quarter;
        const column = (left + (inner % mergeSize)) * quarter;
        for (let i = 0; i < quarter; i++) {
          cos[at + i] = cosOf[row + i] ?? 0;
          sin[at + i] = sinOf[row + i] ?? 0;
          cos[at + quarter + i] = cosOf[column + i] ?? 0;
          sin[at + quarter + i] = sinOf[column + i] ?? 0;
        }
      }
    }
    first += grid.frames * cells;
  }
  return { cos, sin };
}
