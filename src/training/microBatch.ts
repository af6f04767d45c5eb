/**
 * Rows to train on, and their split into micro-batches. The weights of the rows are those of the whole step, so
 * a micro-batch is only a matter of memory: gradients add up in place and the split changes no result beyond
 * the order in which floats are summed.
 */
import type { EncodedPrompt } from "../policy/packing";

/** A response to train on. */
export interface TrainingRow {
  readonly prompt: EncodedPrompt;
  readonly tokens: Int32Array;
  /** Loss weight of each of its tokens. */
  readonly weight: number;
  /** 1 for SFT. */
  readonly advantage: number;
}

export type MicroBatch = readonly TrainingRow[];

export function microBatches(rows: readonly TrainingRow[], size: number): MicroBatch[] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) => rows.slice(i * size, (i + 1) * size));
}

/** Rows in order, neighbours with the same prompt sharing one copy of it. */
export function packItems(rows: MicroBatch): { prompt: EncodedPrompt; responses: Int32Array[] }[] {
  const items: { prompt: EncodedPrompt; responses: Int32Array[] }[] = [];
  for (const row of rows) {
    const last = items.at(-1);
    if (last !== undefined && last.prompt === row.prompt) last.responses.push(row.tokens);
    else items.push({ prompt: row.prompt, responses: [row.tokens] });
  }
  return items;
}

/** One number a row, spread over its tokens, then zeros up to `size`: the layout of `Policy.responseLogprobs`. */
export function perToken(rows: MicroBatch, value: (row: TrainingRow) => number, size: number): Float32Array {
  const flat = new Float32Array(size);
  let at = 0;
  for (const row of rows) {
    flat.fill(value(row), at, at + row.tokens.length);
    at += row.tokens.length;
  }
  return flat;
}
