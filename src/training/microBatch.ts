/**
 * Rows to train on, and their split into micro-batches. The weights of the rows are those of the whole step, so
 * a micro-batch is only a matter of memory: gradients add up in place and the split changes no result beyond
 * the order in which floats are summed.
 */
import type { EncodedPrompt } from "../policy/layers/packing";

/** A response to train on. */
export interface TrainingRow {
  readonly prompt: EncodedPrompt;
  readonly tokens: Int32Array;
  /** Loss weight of each of its tokens. */
  readonly weight: number;
  /** 1 for SFT. */
  readonly advantage: number;
  /** Its loss within a policy update: the objective's by default, or the negative log-likelihood. */
  readonly loss?: "likelihood";
  /** Log-probabilities of its tokens under the policy as the rollout had them: those of a ratio. */
  readonly rollout?: Float32Array;
  /** Those with which they were drawn, vision tokens being suppressed: what `kl/sampler` compares with. */
  readonly sampled?: Float32Array;
}

export type MicroBatch = readonly TrainingRow[];

/**
 * Neighbouring rows together, at most `size` of them, with about as many response tokens in each micro-batch. Where one
 * is not enough their number is even, so that two workers have equal shares.
 */
export function microBatches(rows: MicroBatch, size: number): MicroBatch[] {
  const least = Math.ceil(rows.length / size);
  const count = least > 1 ? Math.min(2 * Math.ceil(least / 2), rows.length) : least;
  const total = tokenCount(rows);
  let end = 0;
  let tokens = 0;
  return Array.from({ length: count }, (_, i) => {
    const start = end;
    const later = count - 1 - i;
    // The later micro-batches get a row each at least, and what they can hold at most.
    const earliest = Math.max(start + 1, rows.length - later * size);
    const latest = Math.min(start + size, rows.length - later);
    for (; end < latest; end++) {
      const length = rows[end]?.tokens.length ?? 0;
      if (end >= earliest && tokens + length / 2 > (total * (i + 1)) / count) break;
      tokens += length;
    }
    return rows.slice(start, end);
  });
}

/** Response tokens of all rows. */
export function tokenCount(rows: readonly Pick<TrainingRow, "tokens">[]): number {
  return rows.reduce((sum, row) => sum + row.tokens.length, 0);
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

/** The rollout's log-probabilities of all tokens, of the policy or as drawn, then zeros up to `size`. */
export function recordedLogprobs(rows: MicroBatch, size: number, of: "rollout" | "sampled"): Float32Array {
  const flat = new Float32Array(size);
  let at = 0;
  for (const row of rows) {
    const recorded = row[of];
    if (recorded !== undefined) flat.set(recorded.subarray(0, row.tokens.length), at);
    at += row.tokens.length;
  }
  return flat;
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

/** For every token the rows [first, end) of its response, then empty ranges up to `size`: the kernel's `sequences`. */
export function sequenceRows(rows: readonly Pick<TrainingRow, "tokens">[], size: number): Int32Array {
  const ranges = new Int32Array(2 * size);
  let at = 0;
  for (const { tokens } of rows) {
    const end = at + tokens.length;
    for (let token = at; token < end; token++) ranges.set([at, end], 2 * token);
    at = end;
  }
  return ranges;
}
