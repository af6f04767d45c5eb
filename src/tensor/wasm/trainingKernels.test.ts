import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../backend";
import type { PolicyLossOptions, SampleOptions } from "../kernels";
import { randomUniform } from "../random";
import { at, expectClose, noise } from "../testing/plain";
import { openWasmBackend } from "./backend";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const up = (values: Float32Array | Int32Array, ...shape: number[]) => backend.upload(values, shape);

describe("policyLoss", () => {
  const n = 41;
  const logprob = noise(n, 1, 2);
  const old = noise(n, 2, 2);
  const ref = noise(n, 3, 2);
  const advantage = noise(n, 4, 2);
  const weight = noise(n, 5).map((w, i) => (i % 7 === 3 ? 0 : Math.abs(w)));
  old[3] = -Infinity; // a masked outlier must not matter

  function plain(o: PolicyLossOptions, lp: (i: number) => number) {
    const sums = { loss: 0, rows: 0, ratio: 0, approxKl: 0, refKl: 0, clippedLow: 0, clippedHigh: 0, dualClipped: 0 };
    for (let i = 0; i < n; i++) {
      const w = at(weight, i);
      const a = at(advantage, i);
      if (w === 0) continue;
      const d = Math.max(-o.logRatioClamp, Math.min(o.logRatioClamp, lp(i) - at(old, i)));
      const ratio = Math.min(o.ratioMax, Math.exp(d));
      const clipped = Math.max(-a * ratio, -a * Math.max(1 - o.clipLow, Math.min(1 + o.clipHigh, ratio)));
      const dual = a < 0 && clipped > -o.dualClip * a;
      const r = Math.max(-o.logRatioClamp, Math.min(o.logRatioClamp, at(ref, i) - lp(i)));
      const k3 = Math.exp(r) - r - 1;
      sums.loss += w * ((dual ? -o.dualClip * a : clipped) + o.beta * k3);
      sums.rows += 1;
      sums.ratio += ratio;
      sums.approxKl -= d;
      sums.refKl += k3;
      sums.clippedLow += Number(a < 0 && ratio < 1 - o.clipLow);
      sums.clippedHigh += Number(a > 0 && ratio > 1 + o.clipHigh);
      sums.dualClipped += Number(dual);
    }
    return Object.values(sums);
  }

  it.each([
    { clipLow: 0.2, clipHigh: 0.28, dualClip: Infinity, ratioMax: Infinity, logRatioClamp: Infinity, beta: 0 },
    { clipLow: 0.2, clipHigh: 0.2, dualClip: 3, ratioMax: 3, logRatioClamp: 20, beta: 0.04 },
    { clipLow: 0.5, clipHigh: 0.9, dualClip: 1.4, ratioMax: 1.8, logRatioClamp: 0.9, beta: 0.5 },
  ])("sums and gradient with %o", async (o) => {
    const got = backend.kernels.policyLoss(up(logprob, n), up(old, n), up(ref, n), up(advantage, n), up(weight, n), o);
    const [grad, stats] = await backend.read([got.dLogprob, got.stats]);
    expectClose(
      stats ?? [],
      plain(o, (i) => at(logprob, i)),
    );
    const h = 1e-5;
    for (let j = 0; j < n; j++) {
      const nudged = (by: number) =>
        at(
          plain(o, (i) => at(logprob, i) + (i === j ? by : 0)),
          0,
        );
      expect(at(grad ?? [], j)).toBeCloseTo((nudged(h) - nudged(-h)) / (2 * h), 4);
    }
  });
});

describe("sample", () => {
  const [rows, v, capacity] = [23, 37, 3];
  const logits = noise(rows * v, 1, 3);
  const rowIds = Int32Array.from({ length: rows }, (_, i) => 5 * i + 1);
  const streams = Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? at(rowIds, i / 2) : 100 + i));
  const base: SampleOptions = {
    temperature: 0.9,
    greedy: false,
    topK: 0,
    seed: 7,
    step: 3,
    position: 1,
    stopTokens: [4, 9],
    padToken: 2,
  };

  async function run(o: SampleOptions, done = new Int32Array(rows)) {
    const buffers = {
      tokens: backend.zeros([rows, capacity], "int32"),
      logprobs: backend.zeros([rows, capacity]),
      entropies: backend.zeros([rows, capacity]),
      next: backend.zeros([rows], "int32"),
      done: up(done, rows),
      streams: up(streams, rows, 2),
    };
    backend.kernels.sample(up(logits, rows, v), buffers, o);
    const [tokens, logprobs, entropies, next, after] = await backend.read([
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
    if (!o.greedy) token = [...kept].sort((a, b) => a - b).find((i) => (sum += at(p, i)) > limit) ?? -1;
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
      tokens: backend.zeros([rows, 1], "int32"),
      logprobs: backend.zeros([rows, 1]),
      entropies: backend.zeros([rows, 1]),
      next: backend.zeros([rows], "int32"),
      done: backend.zeros([rows], "int32"),
      streams: up(streams, rows, 2),
    };
    backend.kernels.sample(flat, buffers, { ...base, position: 0, topK: 3 });
    expect(Math.max(...((await backend.read([buffers.next]))[0] ?? []))).toBeLessThan(3);
    backend.write(buffers.done, new Int32Array(rows));
    backend.kernels.sample(flat, buffers, { ...base, position: 0, greedy: true });
    expect(Math.max(...((await backend.read([buffers.next]))[0] ?? []))).toBe(0);
  });
});

describe("AdamW", () => {
  const options = {
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    weightDecay: 0.1,
    updateCount: 3,
    maxGradNorm: 0.5,
  };

  it.each([1, 3, 4, 1003])("updates %i parameters as PyTorch does", async (n) => {
    const [theta, grad, m] = [noise(n, 1), noise(n, 2), noise(n, 3, 0.1)];
    const v = noise(n, 4, 0.1).map(Math.abs);
    const [t, mm, vv] = [up(theta, n), up(m, n), up(v, n)];
    const squares = backend.kernels.sumSquares(up(grad, n));
    backend.kernels.adamw(t, up(grad, n), mm, vv, squares, options);
    const [gotT, gotM, gotV, gotSquares] = await backend.read([t, mm, vv, squares]);
    const sum = grad.reduce((a, g) => a + g * g, 0);
    expectClose(gotSquares ?? [], [sum]);
    const clip = Math.min(1, options.maxGradNorm / (Math.sqrt(sum) + 1e-6));
    const { beta1, beta2, learningRate, updateCount } = options;
    const expectedM = Array.from(m, (x, i) => beta1 * x + (1 - beta1) * clip * at(grad, i));
    const expectedV = Array.from(v, (x, i) => beta2 * x + (1 - beta2) * (clip * at(grad, i)) ** 2);
    expectClose(gotM ?? [], expectedM);
    expectClose(gotV ?? [], expectedV);
    expectClose(
      gotT ?? [],
      Array.from(theta, (x, i) => {
        const denominator = Math.sqrt(at(expectedV, i) / (1 - beta2 ** updateCount)) + options.epsilon;
        return (
          x * (1 - learningRate * options.weightDecay) -
          (learningRate * at(expectedM, i)) / (1 - beta1 ** updateCount) / denominator
        );
      }),
    );
  });

  it("writes nothing where the gradient is not finite", async () => {
    const theta = noise(9, 1);
    for (const bad of [NaN, Infinity]) {
      const [t, m, v] = [up(theta, 9), backend.zeros([9]), backend.zeros([9])];
      const grad = up(
        noise(9, 2).map((g, i) => (i === 8 ? bad : g)),
        9,
      );
      backend.kernels.adamw(t, grad, m, v, backend.kernels.sumSquares(grad), { ...options, maxGradNorm: Infinity });
      const [gotT, gotM] = await backend.read([t, m]);
      expect(gotT).toEqual(theta);
      expect(gotM).toEqual(new Float32Array(9));
    }
  });
});
