/** Slots: responses come and go, and each is the same whatever else is being written. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import type { VisionLanguageModel } from "../model";
import { prompt, smallModel } from "../testing/syntheticPrompts";
import { BACKENDS } from "../testing/testBackends";
import type { RolloutRow } from "./generate";
import { cacheLayout, GroupCache, slotCount } from "./groupCache";

const STOPS = [1, 11, 21, 31, 41];
const OPTIONS = { groupSize: 4, temperature: 1, maxNewTokens: 30, seed: 5, step: 2, stopTokens: STOPS };

/** Tolerance of a log-probability: half an ulp of f16 is 2⁻¹² of a key or value, here through two layers of 32. */
const F16_TOLERANCE = 2e-3;

/** Five prompts of different lengths. */
const prompts = (model: VisionLanguageModel) =>
  [[10], [11, 12, 13], [14, 15], [16, 17, 18, 19, 20], [10, 9]].map((text, i) => prompt(model, 1 + (i % 2), text));

const tokensOf = (rows: readonly RolloutRow[]): number[][] => rows.map(({ tokens }) => [...tokens]);
const numbersOf = (rows: readonly RolloutRow[]): number[] =>
  rows.flatMap(({ logprobs, entropies }) => [...logprobs, ...entropies]);

function largestDifference(a: readonly RolloutRow[], b: readonly RolloutRow[]): number {
  const other = numbersOf(b);
  return Math.max(...numbersOf(a).map((x, i) => Math.abs(x - (other[i] ?? NaN))));
}

describe.each(BACKENDS)("on the $name backend", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  it("samples the same with 2 slots, 5 slots and all at once", async () => {
    const model = smallModel(backend, { trainable: "none" });
    const small = backend.name === "reference";
    const options = small ? { ...OPTIONS, groupSize: 2, maxNewTokens: 10 } : OPTIONS;
    const sampled = prompts(model).slice(0, small ? 2 : 5);
    const all = await model.generate(sampled, { ...options, slots: sampled.length * options.groupSize }, 0);
    // They end at different times
    if (!small) expect(new Set(tokensOf(all.rows).map((tokens) => tokens.length)).size).toBeGreaterThan(3);
    expect(all.rows.map((row) => row.prompt)).toEqual(
      sampled.flatMap((_, p) => new Array<number>(options.groupSize).fill(p)),
    );
    for (const slots of small ? [2] : [2, 5]) {
      const some = await model.generate(sampled, { ...options, slots }, 0);
      expect(tokensOf(some.rows)).toEqual(tokensOf(all.rows));
      expect(some.rows.map((row) => row.finished)).toEqual(all.rows.map((row) => row.finished));
      // The reference sums over the whole cache, seen or not, in whatever order the product takes.
      expect(largestDifference(all.rows, some.rows)).toBeLessThanOrEqual(small ? 1e-6 : 0);
      // Slots are refilled: fewer steps than if each batch of responses waited for its longest.
      const lengths = some.rows.map(({ tokens }) => 8 * Math.ceil(tokens.length / 8));
      const lots = Array.from({ length: Math.ceil(lengths.length / slots) }, (_, lot) =>
        Math.max(...lengths.slice(lot * slots, (lot + 1) * slots)),
      );
      expect(some.steps).toBeLessThanOrEqual(lots.reduce((sum, length) => sum + length, 0));
    }
    model.dispose();
  });

  it("keeps keys and values in f16: the same with any number of slots, and close to f32", async () => {
    const model = smallModel(backend, { trainable: "none" });
    const small = backend.name === "reference";
    const options = { ...OPTIONS, groupSize: 2, ...(small ? { maxNewTokens: 6 } : {}) };
    const sampled = prompts(model).slice(0, small ? 1 : 4);
    const [wide, narrow] = [
      await model.generate(sampled, { ...options, cache: "f32" }, 0),
      await model.generate(sampled, { ...options, cache: "f16" }, 0),
    ];
    if (!small) {
      const some = await model.generate(sampled, { ...options, cache: "f16", slots: 3 }, 0);
      expect(tokensOf(some.rows)).toEqual(tokensOf(narrow.rows));
      expect(largestDifference(narrow.rows, some.rows)).toBe(0);
    }
    const differences = wide.rows.flatMap((row, i) => {
      const other = narrow.rows[i];
      // Up to the first other token the two have read the same words.
      const apart = [...row.tokens].findIndex((token, t) => token !== other?.tokens[t]);
      return [...row.logprobs.slice(0, apart < 0 ? row.logprobs.length : apart)].map((logprob, t) =>
        Math.abs(logprob - (other?.logprobs[t] ?? NaN)),
      );
    });
    expect(differences.length).toBeGreaterThan(5);
    expect(Math.max(...differences)).toBeLessThan(F16_TOLERANCE);
    expect(Math.max(...differences)).toBeGreaterThan(0); // it is another cache
    model.dispose();
  });
});

describe("slots", () => {
  it("hold the bytes that their layout says, and no more prompts than fit", async () => {
    const backend = await openWasmBackend();
    const model = smallModel(backend, { trainable: "none" });
    const sampled = prompts(model);
    await model.generate(sampled, { ...OPTIONS, slots: 2 }, 0); // the kernels' scratch grows on first use and stays
    const before = backend.memoryBytes();
    let most = 0;
    await model.generate(
      sampled,
      {
        ...OPTIONS,
        slots: 2,
        onToken: () => {
          most = Math.max(most, backend.memoryBytes() - before);
        },
      },
      0,
    );
    const { text } = model.config;
    const layout = cacheLayout({
      promptRows: sampled.map(({ ids }) => ids.length - 1),
      groupSize: 4,
      slots: 2,
      maxNewTokens: 30,
      padded: false,
    });
    const longest = sampled.map(({ ids }) => ids.length - 1).sort((a, b) => b - a);
    expect(layout.rows).toBe(longest[0]! + longest[1]! + 60);
    const bytes = 4 * text.layers * layout.rows * 2 * text.kvHeads * text.headDim;
    expect(most).toBeGreaterThanOrEqual(bytes);
    expect(most).toBeLessThan(1.5 * bytes); // with the tables of the slots, and the pictures' features
    await backend.dispose();
  });

  it("return rows of the cache to the next response", async () => {
    const backend = await openWasmBackend();
    const cache = new GroupCache(backend, { layers: 1, kvHeads: 1, headDim: 4 }, "f32", {
      prefixRows: 10,
      slots: 2,
      regionRows: 3,
      rows: 16,
    });
    expect([cache.takePrefix(4), cache.takePrefix(3), cache.takePrefix(4), cache.takePrefix(3)]).toEqual([
      0,
      4,
      null,
      7,
    ]);
    cache.freePrefix(4);
    expect(cache.takePrefix(4)).toBeNull();
    cache.freePrefix(0);
    expect(cache.takePrefix(7)).toBe(0);
    expect([cache.takeRegion(), cache.takeRegion(), cache.freeSlots]).toEqual([10, 13, 0]);
    expect(() => cache.takeRegion()).toThrow(/no free slot/);
    cache.freeRegion(10);
    expect(cache.takeRegion()).toBe(10);
    expect(
      () =>
        new GroupCache(backend, { layers: 1, kvHeads: 1, headDim: 6 }, "f16", {
          prefixRows: 1,
          slots: 1,
          regionRows: 1,
          rows: 2,
        }),
    ).toThrow(/choose f32/);
    const needs = { promptRows: new Array<number>(32).fill(40), groupSize: 4, maxNewTokens: 118 };
    expect([
      slotCount(null, needs, 1000),
      slotCount(null, needs, 2 ** 20),
      slotCount(4, needs, 2 ** 40),
      slotCount(null, needs, 2 ** 40),
    ]).toEqual([128, 16, 4, 1]);
    await backend.dispose();
  });
});
