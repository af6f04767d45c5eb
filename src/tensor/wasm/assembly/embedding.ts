/** Token embedding: gathers of table and feature rows, and the scatter of their gradients. */
import { addScaled } from "./columnSums";
import { unpackRows } from "./packs";

/** Whether −features ≤ id < vocabulary for all ids. */
export function idsWithin(n: i32, ids: usize, vocabulary: i32, features: i32): bool {
  for (let i = 0; i < n; i++) {
    const id = load<i32>(ids + <usize>i * 4);
    if (id >= vocabulary || id < -features) return false;
  }
  return true;
}

export function embedding(
  n: i32, d: i32, ids: usize, format: i32, table: usize, scales: usize, features: usize, out: usize,
): void {
  const bytes = <usize>d * 4;
  for (let i = 0; i < n; i++) {
    const id = load<i32>(ids + <usize>i * 4);
    const to = out + <usize>i * bytes;
    if (id < 0) memory.copy(to, features + <usize>(-1 - id) * bytes, bytes);
    else unpackRows(format, table, scales, d, id, 1, to);
  }
}

/** Rows of dy added in order to the table row or feature row they came from; either target may be 0. */
export function embeddingGrad(n: i32, d: i32, ids: usize, dy: usize, dTable: usize, dFeatures: usize): void {
  const bytes = <usize>d * 4;
  for (let i = 0; i < n; i++) {
    const id = load<i32>(ids + <usize>i * 4);
    const from = dy + <usize>i * bytes;
    if (id >= 0) {
      if (dTable) addScaled(dTable + <usize>id * bytes, from, 1, d);
    } else if (dFeatures) addScaled(dFeatures + <usize>(-1 - id) * bytes, from, 1, d);
  }
}
