import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../backend";
import type { PolicyLossOptions } from "../../kernels";
import { at, expectClose, noise } from "../../testing/plain";
import { openWasmBackend } from "../backend";

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
