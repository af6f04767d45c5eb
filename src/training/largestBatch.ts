/**
 * How large a run's micro-batches can become: as many responses as one takes, each as long as the settings allow.
 * Backends that recycle memory allocate for that batch once; a run then holds the same bytes however long its responses
 * are.
 */
import { type BatchCapacity, paddedSize } from "../policy/layers/packing";
import { type MicroBatch, tokenCount } from "./microBatch";

export interface BatchLimits {
  /** Responses of a micro-batch. */
  readonly responses: number;
  /** Tokens of a response. */
  readonly tokens: number;
}

export class LargestBatch {
  #capacity: BatchCapacity = { rows: 0, tokens: 0 };
  #limits: BatchLimits = { responses: 0, tokens: 0 };

  /**
   * Room for these micro-batches of a step and, as far as can be foreseen, for all later ones: only limits raised, or
   * batches that go beyond what was foreseen (with longer prompts than those seen), make it larger.
   */
  over(batches: readonly MicroBatch[], limits: BatchLimits): BatchCapacity {
    if (batches.length === 0) return this.#capacity; // without rows there are no prompts to foresee from
    const now = batches.map(sizeOf);
    const held = now.every(({ rows, tokens }) => rows <= this.#capacity.rows && tokens <= this.#capacity.tokens);
    if (held && limits.responses <= this.#limits.responses && limits.tokens <= this.#limits.tokens)
      return this.#capacity;
    this.#limits = {
      responses: Math.max(limits.responses, this.#limits.responses),
      tokens: Math.max(limits.tokens, this.#limits.tokens),
    };
    const all = [foreseen(batches.flat(), this.#limits), ...now, this.#capacity];
    this.#capacity = {
      rows: Math.max(...all.map(({ rows }) => rows)),
      tokens: Math.max(...all.map(({ tokens }) => tokens)),
    };
    return this.#capacity;
  }
}

function sizeOf(batch: MicroBatch): BatchCapacity {
  const tokens = tokenCount(batch);
  return { rows: paddedSize(promptRows(batch) + tokens), tokens: paddedSize(tokens) };
}

/** Neighbouring rows share a prompt or not as they do in these. */
function foreseen(rows: MicroBatch, { responses, tokens }: BatchLimits): BatchCapacity {
  const windows = Array.from({ length: Math.max(1, rows.length - responses + 1) }, (_, start) =>
    promptRows(rows.slice(start, start + responses)),
  );
  return { rows: paddedSize(Math.max(...windows) + responses * tokens), tokens: paddedSize(responses * tokens) };
}

function promptRows(rows: MicroBatch): number {
  return [...new Set(rows.map(({ prompt }) => prompt))].reduce((sum, { ids }) => sum + ids.length - 1, 0);
}
