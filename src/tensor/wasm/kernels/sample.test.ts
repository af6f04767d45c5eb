import { describe, expect, it } from "vitest";
import type { SampleOptions } from "../../kernels";
import { randomUniform } from "../../random";
import { at, noise } from "../../testing/plain";
import { wasmUnderTest } from "../../testing/wasmUnderTest";

const wasm = wasmUnderTest();
const { up } = wasm;

describe("sample", () => {
  const [rows, v, capacity] = [23, 37, 3];
  const logits = noise(rows * v, 1, 3);
  const rowIds = Int32Array.from({ length: rows }, (_, i) => 5 * i + 1);
  const streams = Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? at(rowIds, i / 2) : 100 + i));
  const base: SampleOptions = {
    temperature: 0.9,
    greedy: false,
    topK: 0,
    suppressTokens: [],
    seed: 7,
    step: 3,
    position: 1,
    stopTokens: [4, 9],
    padToken: 2,
  };

  async function run(o: SampleOptions, done = new Int32Array(rows)) {
    const buffers = {
      tokens: wasm.backend.zeros([rows, capacity], "int32"),
      logprobs: wasm.backend.zeros([rows, capacity]),
      entropies: wasm.backend.zeros([rows, capacity]),
      allowed: wasm.backend.zeros([rows, capacity]),
      next: wasm.backend.zeros([rows], "int32"),
      done: up(done, rows),
      streams: up(streams, rows, 2),
    };
    wasm.backend.kernels.sample(up(logits, rows, v), buffers, o);
    const [tokens, logprobs, entropies, next, after] = await wasm.backend.read([
      buffers.tokens,
      buffers.logprobs,
      buffers.entropies,
      buffers.next,
      buffers.done,
    ]);
    return {
      tokens: tokens ?? [],
      logprobs: logprobs ?? [],
      entropies: entropies ?? [],
      next: next ?? [],
      done: after ?? [],
    };
  }

  function plain(r: number, o: SampleOptions) {
    const scaled = logits.subarray(r * v, (r + 1) * v).map((l) => l / o.temperature);
    const top = Math.max(...scaled);
    const total = scaled.reduce((sum, l) => sum + Math.exp(l - top), 0);
    const p = Array.from(scaled, (l) => Math.exp(l - top) / total);
    const order = p.map((_, i) => i).sort((a, b) => at(p, b) - at(p, a) || a - b);
    const kept = o.topK ? order.slice(0, o.topK) : order;
    const limit =
      randomUniform(o.seed, o.step, at(rowIds, r), at(streams, 2 * r + 1) + o.position) *
      kept.reduce((sum, i) => sum + at(p, i), 0);
    let sum = 0;
    let token = at(order, 0);
    const isReached = (i: number): boolean => {
      sum += at(p, i);
      return sum > limit;
    };
    if (!o.greedy) token = [...kept].sort((a, b) => a - b).find(isReached) ?? -1;
    return { token, logprob: Math.log(at(p, token)), entropy: -p.reduce((a, x) => a + x * Math.log(x), 0) };
  }

  it.each([{}, { topK: 1 }, { topK: 5 }, { greedy: true }, { temperature: 0.3, seed: 4294967295, step: 9 }])(
    "follows the draw rule with %o",
    async (change) => {
      const o = { ...base, ...change };
      const got = await run(o);
      for (let r = 0; r < rows; r++) {
        const expected = plain(r, o);
        expect(at(got.tokens, r * capacity + 1)).toBe(expected.token);
        expect(at(got.next, r)).toBe(expected.token);
        expect(at(got.logprobs, r * capacity + 1)).toBeCloseTo(expected.logprob, 5);
        expect(at(got.entropies, r * capacity + 1)).toBeCloseTo(expected.entropy, 5);
        expect(at(got.done, r)).toBe(Number(o.stopTokens.includes(expected.token)));
        expect(at(got.tokens, r * capacity)).toBe(0);
      }
    },
  );

  it("writes padding for rows that are done", async () => {
    const got = await run(base, new Int32Array(rows).fill(1));
    expect(Array.from(got.next)).toEqual(Array(rows).fill(2));
    expect(at(got.tokens, 1)).toBe(2);
    expect(at(got.logprobs, 1)).toBe(0);
    expect(at(got.entropies, 1)).toBe(0);
  });

  it("keeps the first of equal logits under top-k and arg-max", async () => {
    const flat = up(new Float32Array(rows * v).fill(1), rows, v);
    const buffers = {
      tokens: wasm.backend.zeros([rows, 1], "int32"),
      logprobs: wasm.backend.zeros([rows, 1]),
      entropies: wasm.backend.zeros([rows, 1]),
      allowed: wasm.backend.zeros([rows, 1]),
      next: wasm.backend.zeros([rows], "int32"),
      done: wasm.backend.zeros([rows], "int32"),
      streams: up(streams, rows, 2),
    };
    wasm.backend.kernels.sample(flat, buffers, { ...base, position: 0, topK: 3 });
    expect(Math.max(...((await wasm.backend.read([buffers.next]))[0] ?? []))).toBeLessThan(3);
    wasm.backend.write(buffers.done, new Int32Array(rows));
    wasm.backend.kernels.sample(flat, buffers, { ...base, position: 0, greedy: true });
    expect(Math.max(...((await wasm.backend.read([buffers.next]))[0] ?? []))).toBe(0);
  });
});
