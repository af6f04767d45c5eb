/**
 * Which responses of a rollout are being written. They begin in order, prompt-major, as slots become free: several
 * prompts are in flight at a time, and a prompt's keys and values are released with its last response.
 */

import type { EncodedPrompt } from "../layers/packing";
import type { GroupCache } from "./groupCache";

/** One response. What it samples depends on `id` and its prompt, not on its slot or its neighbours. */
export interface Slot {
  /** Row of the rollout, prompt-major. */
  readonly row: number;
  readonly prompt: number;
  /** Row part of the random counter. */
  readonly id: number;
  /** Cache rows of its prompt. */
  readonly promptStart: number;
  readonly promptEnd: number;
  /** First row of its own region of the cache. */
  readonly cacheRow: number;
  /** M-RoPE position of its first input, the prompt's last token. */
  readonly firstPosition: number;
  /** Token it feeds next. */
  next: number;
  /** Tokens sampled so far. */
  length: number;
  readonly tokens: Int32Array;
  readonly logprobs: Float32Array;
  readonly entropies: Float32Array;
  readonly allowed: Float32Array;
}

/** A prompt that starts: its keys and values go to cache rows from `start` on. */
export interface BegunPrompt {
  readonly prompt: number;
  readonly start: number;
}

export class ActiveSlots {
  rows: readonly Slot[] = [];
  private begun = 0;
  private readonly inFlight = new Map<number, { readonly start: number; left: number }>();

  constructor(
    private readonly prompts: readonly EncodedPrompt[],
    private readonly groupSize: number,
    private readonly maxNewTokens: number,
    private readonly rowIds: Int32Array | null,
    private readonly cache: GroupCache,
  ) {}

  /** Responses that have not begun. */
  get waiting(): number {
    return this.prompts.length * this.groupSize - this.begun;
  }

  /** Give free slots to the next responses. → prompts to compute before the next token */
  fill(): BegunPrompt[] {
    const begun: BegunPrompt[] = [];
    const rows = [...this.rows];
    while (this.waiting > 0 && this.cache.freeSlots > 0) {
      const index = Math.floor(this.begun / this.groupSize);
      const prompt = this.prompts[index];
      if (prompt === undefined) break;
      let flight = this.inFlight.get(index);
      if (flight === undefined) {
        const start = this.cache.takePrefix(prompt.ids.length - 1);
        if (start === null) break;
        flight = { start, left: this.groupSize };
        this.inFlight.set(index, flight);
        begun.push({ prompt: index, start });
      }
      rows.push(this.opened(this.begun++, index, prompt, flight.start));
    }
    this.rows = rows;
    return begun;
  }

  /** Free the slots of finished responses. */
  retire(finished: ReadonlySet<Slot>): void {
    this.rows = this.rows.filter((row) => !finished.has(row));
    for (const { prompt, cacheRow } of finished) {
      this.cache.freeRegion(cacheRow);
      const flight = this.inFlight.get(prompt);
      if (flight === undefined || --flight.left > 0) continue;
      this.inFlight.delete(prompt);
      this.cache.freePrefix(flight.start);
    }
  }

  private opened(row: number, index: number, { ids, positions }: EncodedPrompt, start: number): Slot {
    return {
      row,
      prompt: index,
      id: this.rowIds?.[row] ?? row,
      promptStart: start,
      promptEnd: start + ids.length - 1,
      cacheRow: this.cache.takeRegion(),
      firstPosition: ids.length - 1 + positions.delta,
      next: ids.at(-1) ?? 0,
      length: 0,
      tokens: new Int32Array(this.maxNewTokens),
      logprobs: new Float32Array(this.maxNewTokens),
      entropies: new Float32Array(this.maxNewTokens),
      allowed: new Float32Array(this.maxNewTokens),
    };
  }
}
