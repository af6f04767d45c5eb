/**
 * A prompt laid out once with all its responses gives what each response gives alone; and sampling gives the
 * log-probabilities that training recomputes.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../tensor/backend";
import { Tape } from "../../tensor/tape";
import { openWasmBackend } from "../../tensor/wasm/backend";
import type { VisionLanguageModel } from "../model";
import { END, prompt, smallModel } from "../testing/syntheticPrompts";
import { BACKENDS } from "../testing/testBackends";
import { MropeAngles, mropeFrequencies, mropePositions } from "./mrope";
import { type PackedItem, packRows } from "./packing";

async function logprobs(model: VisionLanguageModel, items: readonly PackedItem[]): Promise<number[]> {
  const batch = model.packBatch(items);
  const tape = new Tape(model.backend, false);
  const { logprob } = model.responseLogprobs(tape, batch, { temperature: 1, trainVision: false });
  const [values] = await model.backend.read([logprob]);
  tape.dispose();
  batch.dispose();
  return [...(values ?? [])];
}

const largestDifference = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? NaN))));

describe.each(BACKENDS)("on the $name backend", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  it("shares a prompt between its responses without dynamicOptions them", async () => {
    const model = smallModel(backend, { trainable: "none" });
    const items: PackedItem[] = [
      {
        prompt: prompt(model, 1, [10, 11, 12]),
        responses: [Int32Array.of(20, 21, 22, END), Int32Array.of(23), Int32Array.of(20, 24, 25)],
      },
      { prompt: prompt(model, 2, [13, 9]), responses: [Int32Array.of(30, 31), Int32Array.of(32, 33, 34, 35, END)] },
    ];
    const together = await logprobs(model, items);
    const alone: number[] = [];
    for (const { prompt: p, responses } of items)
      for (const response of responses) alone.push(...(await logprobs(model, [{ prompt: p, responses: [response] }])));
    expect(together.length).toBe(15);
    expect(largestDifference(together, alone)).toBeLessThan(1e-5);
    model.dispose();
  });

  it("samples with the log-probabilities that training recomputes, the same however rows are batched", async () => {
    const model = smallModel(backend, { trainable: "none" });
    const prompts = [prompt(model, 1, [10, 11, 12]), prompt(model, 2, [13, 9])];
    const options = { groupSize: 3, temperature: 1, maxNewTokens: 9, seed: 7, step: 3, stopTokens: [END] };
    const rollout = await model.generate(prompts, options, 0);
    expect(rollout.rows.map((row) => row.prompt)).toEqual([0, 0, 0, 1, 1, 1]);
    const items = prompts.map((p, i) => ({
      prompt: p,
      responses: rollout.rows.filter((row) => row.prompt === i).map((row) => row.tokens),
    }));
    const sampled = rollout.rows.flatMap((row) => [...row.logprobs]);
    expect(largestDifference(await logprobs(model, items), sampled)).toBeLessThan(1e-5);

    const second = prompts[1];
    if (second === undefined) throw new Error("two prompts were made");
    const again = await model.generate([second], { ...options, rowIds: Int32Array.of(3, 4, 5) }, 0);
    expect(again.rows.map((row) => [...row.tokens])).toEqual(rollout.rows.slice(3).map((row) => [...row.tokens]));
    model.dispose();
  });
});

describe("generate", () => {
  it("stops early when all rows have finished, and cuts each after its stop token", async () => {
    const model = smallModel(await openWasmBackend(), { trainable: "none" });
    const everyToken = Array.from({ length: 48 }, (_, token) => token);
    const rollout = await model.generate(
      [prompt(model, 1, [10])],
      { groupSize: 4, temperature: 1, maxNewTokens: 64, seed: 0, step: 0, stopTokens: everyToken },
      0,
    );
    expect(rollout.rows.every((row) => row.finished && row.tokens.length === 1)).toBe(true);
    expect(rollout.readbacks).toBe(1); // the look after 8 tokens brings everything
    expect(model.backend.counters.dispatches).toBeLessThan(64 * 20);
    await model.backend.dispose();
  });

  it("continues without the finished rows, and samples the same", async () => {
    const model = smallModel(await openWasmBackend(), { trainable: "none" });
    const prompts = [prompt(model, 1, [10]), prompt(model, 2, [11, 12, 13])];
    const options = { groupSize: 8, temperature: 1, maxNewTokens: 40, seed: 5, step: 0 };
    const stopTokens = [1, 11, 21, 31, 41];
    const counted = async (stop: readonly number[]) => {
      const before = model.backend.counters.dispatches;
      const seen: number[] = [];
      const rollout = await model.generate(
        prompts,
        { ...options, stopTokens: stop, onToken: (position, tokens) => seen.push(position, tokens.length) },
        0,
      );
      return { rows: rollout.rows, seen, dispatches: model.backend.counters.dispatches - before };
    };
    const endless = await counted([]);
    const stopped = await counted(stopTokens);
    const cut = endless.rows.map(({ tokens }) =>
      [...tokens].slice(0, tokens.findIndex((token) => stopTokens.includes(token)) + 1 || 40),
    );
    expect(stopped.rows.map((row) => [...row.tokens])).toEqual(cut);
    expect(new Set(cut.map((tokens) => tokens.length)).size).toBeGreaterThan(4); // they do end at different times
    expect(endless.seen).toEqual(Array.from({ length: 40 }, (_, t) => [t, 16]).flat());
    const difference = stopped.rows.map((row, i) =>
      largestDifference([...row.logprobs], [...(endless.rows[i]?.logprobs ?? [])]),
    );
    expect(Math.max(...difference)).toBeLessThan(1e-5);
    await model.backend.dispose();
  });

  it("uses image features computed once", async () => {
    const model = smallModel(await openWasmBackend(), { trainable: "none" });
    const [a, b] = [prompt(model, 1, [10]), prompt(model, 2, [11, 12])];
    const items = [
      { prompt: b, responses: [Int32Array.of(20, 21)] },
      { prompt: a, responses: [Int32Array.of(22)] },
    ];
    const bank = model.featureBank([a, b]);
    const batch = model.packBatch(items, bank);
    const tape = new Tape(model.backend, false);
    const [values] = await model.backend.read([
      model.responseLogprobs(tape, batch, { temperature: 1, trainVision: false }).logprob,
    ]);
    expect(largestDifference([...(values ?? [])], await logprobs(model, items))).toBeLessThan(1e-6);
    await model.backend.dispose();
  });
});

it("lays out a full-size group with its prompt once: 700 tokens and 8 responses of 1,024", () => {
  const ids = Int32Array.from({ length: 700 }, (_, i) => (i < 640 ? 4 : 10 + i));
  const positions = mropePositions(ids, 4, [{ frames: 1, height: 40, width: 64 }], 2);
  const responses = Array.from({ length: 8 }, (_, g) => new Int32Array(1024).fill(20 + g));
  const packed = packRows([{ prompt: { ids, images: [], positions }, responses }], {
    imageToken: 4,
    angles: new MropeAngles(mropeFrequencies(128, 1e6, [16, 24, 24])),
    featureIndex: () => ({ firstRow: 0, cells: Int32Array.from({ length: 640 }, (_, i) => i) }),
  });
  expect(packed.ids.length).toBe(699 + 8 * 1024); // 8 × 1,723 without sharing
  expect(packed.targets.length).toBe(8 * 1024);
  // The last response's last row sees the prompt but its last token, and its own rows; the prompt's first row is seen
  // by all.
  const last = packed.ids.length - 1;
  expect([...packed.visible.subarray(4 * last)]).toEqual([0, 699, 699 + 7 * 1024, last + 1]);
  expect([...packed.seenBy.subarray(0, 2)]).toEqual([0, last + 1]);
});
