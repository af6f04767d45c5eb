/** A picture as the vision tower takes it: patches on a grid. */

/** Size of one picture in patches; `frames` is 1 for stills. */
export interface ImageGrid {
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/**
 * One picture as the image processor returns it: rows of patches [frames·height·width, channels·2·patch²], grouped by
 * merged cell.
 */
export interface ImagePatches {
  readonly patches: Float32Array;
  readonly grid: ImageGrid;
}
