/** What an adapter adds to one matrix: W + s·B·A, computed in double precision and rounded once. */

/** B [out, r] times A [r, in], scaled. */
export interface Update {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly rank: number;
  readonly scale: number;
}

/** Add the update to rows of its matrix from `firstRow` on, in place. @param columns length of a row */
export function addUpdate(rows: Float32Array, columns: number, firstRow: number, update: Update): void {
  const { a, b, rank, scale } = update;
  const delta = new Float64Array(columns);
  for (let row = 0; row * columns < rows.length; row++) {
    delta.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * (b[(firstRow + row) * rank + r] ?? 0);
      for (let column = 0; column < columns; column++) delta[column]! += factor * a[r * columns + column]!;
    }
    for (let column = 0; column < columns; column++) rows[row * columns + column]! += delta[column]!;
  }
}
