/**
 * Keys and values of a rollout: one tensor per layer, with rows first for the prompts in flight (each once, for its
 * whole group), then a region of `maxNewTokens` rows per slot. A slot is what one response takes while it is being
 * written. Rows never move: a retired response's region, and a prompt's rows once its last response is done, are reused
 * by the next.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../tensor/backend";
import type { PolicyConfig, TextConfig } from "../checkpoint/config";
import type { LayoutOptions } from "../layers/layout";
import { paddedSize } from "../layers/packing";

/** f16: two values per word (cacheF16.ts). */
export const CACHE_FORMATS = ["f32", "f16"] as const;
export type CacheFormat = (typeof CACHE_FORMATS)[number];

/** Maximum bytes of the cache for responses being written and their prompts, unless a number of slots is requested. */
const SLOT_BYTES = 2 ** 31;

export interface CacheNeeds {
  /** Cache rows of each prompt: all its tokens but the last. */
  readonly promptRows: readonly number[];
  readonly groupSize: number;
  readonly slots: number;
  readonly maxNewTokens: number;
  /**
   * Rounded up to one of a few sizes where steps are recorded, so that the next rollout reuses the memory and the
   * recordings.
   */
  readonly padded: boolean;
}

export interface CacheLayout {
  readonly prefixRows: number;
  readonly slots: number;
  readonly regionRows: number;
  /** Of each layer's tensor. */
  readonly rows: number;
}

/**
 * Capacity for as many prompts as the slots hold whole groups, and one more, so that a straggler does not keep slots
 * empty; each may be the longest.
 */
export function cacheLayout({ promptRows, groupSize, slots, maxNewTokens, padded }: CacheNeeds): CacheLayout {
  const inFlight = Math.min(promptRows.length, Math.ceil(slots / groupSize) + 1);
  const needed = [...promptRows]
    .sort((a, b) => b - a)
    .slice(0, inFlight)
    .reduce((sum, rows) => sum + rows, 0);
  const prefixRows = padded ? paddedSize(needed) : needed;
  return { prefixRows, slots, regionRows: maxNewTokens, rows: prefixRows + slots * maxNewTokens };
}

/** Bytes that one token's keys and values take in all layers. */
export function cacheBytesOfToken(
  { layers, kvHeads, headDim }: Pick<TextConfig, "layers" | "kvHeads" | "headDim">,
  format: CacheFormat,
): number {
  return (format === "f16" ? 2 : 4) * layers * 2 * kvHeads * headDim;
}

/**
 * Whether keys and values of such heads can be stored in this format. (f16 is written in pairs of neighbours of half a
 * head.)
 */
export function fitsCache(headDim: number, format: CacheFormat): boolean {
  return format === "f32" || headDim % 4 === 0;
}

/** f16 where weights are packed too: then memory is short. */
export function defaultCacheFormat({ text }: PolicyConfig, { frozenFormat = "f32" }: LayoutOptions): CacheFormat {
  return frozenFormat !== "f32" && fitsCache(text.headDim, "f16") ? "f16" : "f32";
}

/** @param asked requested slots, or null for as many as `SLOT_BYTES` hold, each with its share of a prompt */
export function slotCount(
  asked: number | null,
  { promptRows, groupSize, maxNewTokens }: Pick<CacheNeeds, "promptRows" | "groupSize" | "maxNewTokens">,
  bytesOfToken: number,
): number {
  const slotBytes = bytesOfToken * (maxNewTokens + Math.max(...promptRows) / groupSize);
  return Math.max(1, Math.min(promptRows.length * groupSize, asked ?? Math.floor(SLOT_BYTES / slotBytes)));
}

interface Hole {
  readonly start: number;
  readonly rows: number;
}

export class GroupCache {
  readonly layers: readonly Tensor[];
  /** Free prompt rows in ascending order, adjacent ranges merged. */
  private holes: Hole[];
  private readonly taken = new Map<number, number>();
  private readonly regions: number[];

  /** @throws Error when the heads do not fit the format */
  constructor(
    backend: Backend,
    config: Pick<TextConfig, "layers" | "kvHeads" | "headDim">,
    format: CacheFormat,
    { prefixRows, slots, regionRows, rows }: CacheLayout,
  ) {
    const { layers, kvHeads, headDim } = config;
    if (!fitsCache(headDim, format))
      throw new Error(
        `The KV cache: heads of ${headDim} columns cannot be kept in f16, which needs a multiple of 4; choose f32.`,
      );
    const columns = 2 * kvHeads * headDim;
    this.layers = Array.from({ length: layers }, () =>
      format === "f16" ? backend.zeros([rows, columns / 2], "int32") : backend.zeros([rows, columns]),
    );
    this.holes = [{ start: 0, rows: prefixRows }];
    this.regions = Array.from({ length: slots }, (_, slot) => prefixRows + (slots - 1 - slot) * regionRows);
  }

  get freeSlots(): number {
    return this.regions.length;
  }

  /** First of `rows` adjacent rows for a prompt; null if there is no space now. */
  takePrefix(rows: number): number | null {
    const i = this.holes.findIndex((hole) => hole.rows >= rows);
    const hole = this.holes[i];
    if (hole === undefined) return null;
    this.holes.splice(i, 1, ...(hole.rows > rows ? [{ start: hole.start + rows, rows: hole.rows - rows }] : []));
    this.taken.set(hole.start, rows);
    return hole.start;
  }

  freePrefix(start: number): void {
    const rows = this.taken.get(start);
    if (rows === undefined) throw new Error(`The KV cache has no prompt at row ${start}.`);
    this.taken.delete(start);
    const merged: Hole[] = [];
    for (const hole of [...this.holes, { start, rows }].sort((a, b) => a.start - b.start)) {
      const last = merged.at(-1);
      if (last !== undefined && last.start + last.rows === hole.start)
        merged.splice(-1, 1, { start: last.start, rows: last.rows + hole.rows });
      else merged.push(hole);
    }
    this.holes = merged;
  }

  /** First row of a response's region. @throws Error when no slot is free */
  takeRegion(): number {
    const region = this.regions.pop();
    if (region === undefined) throw new Error("The KV cache has no free slot.");
    return region;
  }

  freeRegion(first: number): void {
    this.regions.push(first);
  }

  dispose(): void {
    for (const layer of [...this.layers].reverse()) layer.dispose();
  }
}
