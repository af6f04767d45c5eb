/** The policy-gradient loss against numbers from running TRL, verl, EasyR1 and OpenRLHF (golden/policyLoss.json names the commits). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { POLICY_LOSS_STATS, type PolicyLossOptions } from "../../kernels";
import { openReferenceBackend } from "../backend";

interface Golden {
  lens: number[];
  logp: number[][];
  old_logp: number[][];
  ref_logp: number[][];
  loss_advantages: number[];
  losses: Record<
    string,
    { loss: number; grad_norm: number; grad_row0?: number[]; grad_row2?: number[]; metrics: Record<string, number> }
  >;
}
const golden = JSON.parse(readFileSync(new URL("./golden/policyLoss.json", import.meta.url), "utf8")) as Golden;
const backend = await openReferenceBackend();

const [B, T] = [golden.lens.length, golden.logp[0]!.length];
const tokens = golden.lens.reduce((a, b) => a + b, 0);

/** Weight of a token in the two aggregations: mean of sequence means, mean of all tokens; 0 beyond a row's length. */
const AGGREGATIONS = {
  sequences: (row: number) => 1 / (B * golden.lens[row]!),
  tokens: () => 1 / tokens,
  constant: () => 1 / (B * T), // Dr. GRPO: divided by the maximum length
};
const CLIP: PolicyLossOptions = {
  clipLow: 0.2,
  clipHigh: 0.2,
  dualClip: Infinity,
  ratioMax: Infinity,
  logRatioClamp: Infinity,
  beta: 0,
};
const CASES: Record<string, [keyof typeof AGGREGATIONS, PolicyLossOptions]> = {
  "trl.grpo": ["sequences", CLIP],
  "trl.dapo": ["tokens", CLIP],
  "trl.dr_grpo": ["constant", CLIP],
  "trl.dapo[eps_h=0.28]": ["tokens", { ...CLIP, clipHigh: 0.28 }],
  "trl.grpo[beta=0.04]": ["sequences", { ...CLIP, beta: 0.04 }],
  "trl.dapo[beta=0.04]": ["tokens", { ...CLIP, beta: 0.04 }],
  "verl.vanilla.token-mean": ["tokens", { ...CLIP, dualClip: 3, logRatioClamp: 20 }],
  "verl.vanilla.seq-mean-token-mean": ["sequences", { ...CLIP, dualClip: 3, logRatioClamp: 20 }],
  "easyr1.default.token": ["tokens", { ...CLIP, dualClip: 3, logRatioClamp: 20 }],
  "openrlhf.ppo": ["tokens", CLIP],
  "openrlhf.dual_clip=3.0": ["tokens", { ...CLIP, dualClip: 3 }],
};

for (const [name, [aggregation, options]] of Object.entries(CASES)) {
  test(name, async () => {
    const expected = golden.losses[name]!;
    const flat = (rows: number[][]) => backend.upload(Float32Array.from(rows.flat()), [B * T]);
    const grid = (f: (row: number, column: number) => number) =>
      backend.upload(
        Float32Array.from({ length: B * T }, (_, i) => f(Math.floor(i / T), i % T)),
        [B * T],
      );
    const weight = grid((row, column) => (column < golden.lens[row]! ? AGGREGATIONS[aggregation](row) : 0));
    const { dLogprob, stats } = backend.kernels.policyLoss(
      flat(golden.logp),
      flat(golden.old_logp),
      flat(golden.ref_logp),
      grid((row) => golden.loss_advantages[row]!),
      weight,
      options,
    );
    const [gradient, sums] = await backend.read([dLogprob, stats]);
    const stat = (key: (typeof POLICY_LOSS_STATS)[number]) => sums![POLICY_LOSS_STATS.indexOf(key)]!;

    expect(stat("loss")).toBeCloseTo(expected.loss, 6);
    expect(Math.hypot(...gradient!)).toBeCloseTo(expected.grad_norm, 6);
    for (const [row, values] of [
      [0, expected.grad_row0],
      [2, expected.grad_row2],
    ] as const) {
      values?.forEach((g, column) => expect(gradient![row * T + column]).toBeCloseTo(g, 6));
    }
    expect(stat("rows")).toBe(tokens);
    const { metrics } = expected;
    const ppoKl = metrics["actor/ppo_kl"] ?? metrics["ppo_kl"];
    if (ppoKl !== undefined) expect(stat("approxKl") / tokens).toBeCloseTo(ppoKl, 6);
    if (metrics["kl"] !== undefined) expect(stat("refKl") / tokens).toBeCloseTo(metrics["kl"], 6);
    if (metrics["clip_ratio/region_mean"] !== undefined)
      expect((stat("clippedLow") + stat("clippedHigh")) / tokens).toBeCloseTo(metrics["clip_ratio/region_mean"], 6);
    const lower = metrics["actor/pg_clipfrac_lower"] ?? metrics["pg_clipfrac_lower"];
    if (lower !== undefined) expect(stat("dualClipped") / tokens).toBeCloseTo(lower, 6);
  });
}
