/**
 * Clipped policy-gradient objective of one token per row (PPO's surrogate with separate ε below and above; dual
 * clip of Ye et al. 2020; ratio cap of SRPO; k3 penalty of Schulman) and its gradient. A clamp or clip
 * that binds passes no gradient. Rows of weight 0 are skipped before any exp, whatever they hold.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { POLICY_LOSS_STATS, type PolicyLossOptions } from "../../kernels";
import { type Dispatcher, read, write } from "../dispatch";
import { expectShape } from "../shapes";
import type { Storage } from "../storage";
import { addColumnSums } from "./columnSums";

/** Stands for an infinite option in WGSL, which has no infinities; e^88 is the largest finite f32 power. */
const OFF = 3e38;

const LOSS = `
fn kernel(group: u32, lane: u32) {
  let row = group * THREADS + lane;
  if (row >= params.rows) { return; }
  let w = weight[row];
  var terms: array<f32, 8>;
  var slope = 0.0;
  if (w != 0.0) {
    let lp = logprob[row];
    let a = advantage[row];
    let rawLog = lp - oldLogprob[row];
    let logRatio = clamp(rawLog, -params.logRatioClamp, params.logRatioClamp);
    let rawRatio = exp(logRatio);
    let ratio = min(rawRatio, params.ratioMax);
    // d ratio / d logprob, 0 where a clamp binds.
    let ratioSlope = select(0.0, ratio, abs(rawLog) <= params.logRatioClamp && rawRatio <= params.ratioMax);
    let low = 1.0 - params.clipLow;
    let high = 1.0 + params.clipHigh;
    let free = ratio * a;
    let bound = clamp(ratio, low, high) * a;
    let clipped = -min(free, bound);
    let inside = ratio >= low && ratio <= high;
    let clippedSlope = select(0.0, -a * ratioSlope, free <= bound || inside);
    let ceiling = -params.dualClip * a;
    let dual = a < 0.0 && params.dualClip < ${OFF} && clipped > ceiling;
    let rawD = refLogprob[row] - lp;
    let d = clamp(rawD, -params.logRatioClamp, params.logRatioClamp);
    let expD = exp(d);
    // Near 0 the difference would be all rounding: there the series.
    let k3 = select(expD - d - 1.0, d * d * (0.5 + d * (1.0 / 6.0 + d * (1.0 / 24.0 + d / 120.0))), abs(d) < 0.1);
    let k3Slope = select(0.0, 1.0 - expD, abs(rawD) <= params.logRatioClamp);
    let surrogate = select(clipped, ceiling, dual);
    slope = w * (select(clippedSlope, 0.0, dual) + params.beta * k3Slope);
    // β = 0 must not turn an overflowing k3 into NaN.
    let penalty = select(params.beta * k3, 0.0, params.beta == 0.0);
    if (params.beta == 0.0) { slope = w * select(clippedSlope, 0.0, dual); }
    terms = array<f32, 8>(
      w * (surrogate + penalty), 1.0, ratio, -logRatio, k3,
      select(0.0, 1.0, a < 0.0 && ratio < low), select(0.0, 1.0, a > 0.0 && ratio > high), select(0.0, 1.0, dual));
  }
  dLogprob[row] = slope;
  for (var i = 0u; i < 8u; i++) { rowTerms[row * 8u + i] = terms[i]; }
}`;

export class PolicyLossKernels {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly storage: Storage,
  ) {}

  policyLoss(
    logprob: Tensor,
    oldLogprob: Tensor,
    refLogprob: Tensor,
    advantage: Tensor,
    weight: Tensor,
    options: PolicyLossOptions,
  ): { dLogprob: Tensor; stats: Tensor } {
    const rows = logprob.size;
    expectShape("policyLoss", "logprob", logprob, [rows]);
    for (const [name, tensor] of Object.entries({ oldLogprob, refLogprob, advantage, weight }))
      expectShape("policyLoss", name, tensor, [rows]);
    const dLogprob = this.storage.allocate([rows], "float32");
    const rowTerms = this.storage.allocate([rows, POLICY_LOSS_STATS.length], "float32");
    const stats = this.storage.allocate([POLICY_LOSS_STATS.length], "float32");
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel("policyLoss", () => ({
      buffers: [
        read("logprob"),
        read("oldLogprob"),
        read("refLogprob"),
        read("advantage"),
        read("weight"),
        write("dLogprob"),
        write("rowTerms"),
      ],
      params: {
        rows: "u32",
        clipLow: "f32",
        clipHigh: "f32",
        dualClip: "f32",
        ratioMax: "f32",
        logRatioClamp: "f32",
        beta: "f32",
      },
      threads,
      code: LOSS,
    }));
    const finite = (value: number): number => Math.min(value, OFF);
    const { clipLow, clipHigh, dualClip, ratioMax, logRatioClamp, beta } = options;
    const params = [
      rows,
      finite(clipLow),
      finite(clipHigh),
      finite(dualClip),
      finite(ratioMax),
      finite(logRatioClamp),
      beta,
    ];
    this.dispatcher.run(
      kernel,
      [logprob, oldLogprob, refLogprob, advantage, weight, dLogprob, rowTerms],
      params,
      Math.ceil(rows / threads),
    );
    addColumnSums(this.dispatcher, this.storage, {
      values: rowTerms,
      rows,
      columns: POLICY_LOSS_STATS.length,
      into: stats,
      overwrite: true,
    });
    rowTerms.dispose();
    return { dLogprob, stats };
  }
}
