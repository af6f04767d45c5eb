/**
 * The policy-gradient objective of one token per row and its gradient (kernels.ts). One generated kernel for each
 * surrogate, ratio level and KL estimator. A clamp or clip that binds passes no gradient; `cispo` keeps its gradient,
 * since it clamps only the weight. Rows of weight 0 are skipped before any exp, whatever they hold.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import {
  type KlEstimatorName,
  POLICY_LOSS_STATS,
  type PolicyLossOptions,
  type SurrogateOptions,
} from "../../policyLossOptions";
import type { KernelDispatcher } from "../dispatch";
import { read, write } from "../kernelSpec";
import { expectShape } from "../shapes";
import type { TensorAllocator } from "../storage";
import { addColumnSums } from "./columnSums";

/** Stands for an infinite option in WGSL, which has no infinities; e^88 is the largest finite f32 power. */
const OFF = 3e38;

/** log ρ, from the token's own clamped log-ratio `tokenLog`. */
const LOG_RATIO: Readonly<Record<PolicyLossOptions["level"], string>> = {
  token: `let logRatio = tokenLog;`,
  sequence: `
    let first = u32(sequences[2u * row]);
    let end = u32(sequences[2u * row + 1u]);
    var logSum = 0.0;
    for (var t = first; t < end; t++) {
      logSum += clamp(logprob[t] - oldLogprob[t], -params.logRatioClamp, params.logRatioClamp);
    }
    let logRatio = logSum / f32(end - first);`,
};

/** Sets `used` (the ratio), `loss`, `slope` by log π, `low`, `high` and `bounded` from `ratio`, `a` and `lp`. */
const SURROGATE: Readonly<Record<SurrogateOptions["kind"], string>> = {
  clip: `
    used = min(ratio, params.ratioMax);
    let free = -used * a;
    let bound = -clamp(used, 1.0 - params.clipLow, 1.0 + params.clipHigh) * a;
    loss = max(free, bound);
    slope = select(-ratio * a, 0.0, ratio > params.ratioMax || free < bound || !unclamped);
    let ceiling = -params.dualClip * a;
    let dual = a < 0.0 && params.dualClip < ${OFF} && loss > ceiling;
    loss = select(loss, ceiling, dual);
    slope = select(slope, 0.0, dual);
    low = a < 0.0 && used < 1.0 - params.clipLow;
    high = a > 0.0 && used > 1.0 + params.clipHigh;
    bounded = dual || (a < 0.0 && ratio > params.ratioMax);`,
  cispo: `
    used = clamp(ratio, params.ratioLow, params.ratioHigh);
    loss = -used * a * lp;
    slope = -used * a;
    low = used > ratio;
    high = used < ratio;`,
  sapo: `
    let tau = select(params.tauNegative, params.tauPositive, a > 0.0);
    let gate = 1.0 / (1.0 + exp(-tau * (ratio - 1.0)));
    let spread = gate * (1.0 - gate);
    loss = -4.0 / tau * gate * a;
    slope = select(0.0, -4.0 * spread * ratio * a, spread > 0.0 && unclamped);`,
};

/** Sets `kl` and `klSlope` (by log π) from d = log π − log π_ref. */
const KL: Readonly<Record<KlEstimatorName, string>> = {
  k1: `kl = d; klSlope = 1.0;`,
  abs: `kl = abs(d); klSlope = sign(d);`,
  k2: `kl = 0.5 * d * d; klSlope = d;`,
  k3: `
    let x = clamp(-d, -params.klExponentClamp, params.klExponentClamp);
    let e = exp(x);
    // Near 0 the difference would be all rounding: there the series.
    kl = select(e - x - 1.0, x * x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x / 120.0))), abs(x) < 0.1);
    klSlope = select(0.0, 1.0 - e, abs(d) <= params.klExponentClamp);`,
};

type Variant = Pick<PolicyLossOptions, "level" | "klEstimator"> & { readonly kind: SurrogateOptions["kind"] };

/** The WGSL of one variant. */
export function policyLossCode({ kind, level, klEstimator }: Variant): string {
  return `
fn kernel(group: u32, lane: u32) {
  let row = group * THREADS + lane;
  if (row >= params.rows) { return; }
  let w = weight[row];
  var terms: array<f32, 8>;
  var gradient = 0.0;
  if (w != 0.0) {
    let lp = logprob[row];
    let a = advantage[row];
    let rawLog = lp - oldLogprob[row];
    let tokenLog = clamp(rawLog, -params.logRatioClamp, params.logRatioClamp);
    let unclamped = abs(rawLog) <= params.logRatioClamp;
    ${LOG_RATIO[level]}
    let ratio = exp(logRatio);
    var used = ratio;
    var loss = 0.0;
    var slope = 0.0;
    var low = false;
    var high = false;
    var bounded = false;
    ${SURROGATE[kind]}
    let d = lp - refLogprob[row];
    var kl = 0.0;
    var klSlope = 0.0;
    ${KL[klEstimator]}
    let over = abs(kl) > params.klValueClamp;
    kl = select(kl, sign(kl) * params.klValueClamp, over);
    klSlope = select(klSlope, 0.0, over);
    // β = 0 must not turn an overflowing estimate into NaN.
    let penalised = params.beta != 0.0;
    gradient = w * (slope + select(0.0, params.beta * klSlope, penalised));
    terms = array<f32, 8>(
      w * (loss + select(0.0, params.beta * kl, penalised)), 1.0, used, -tokenLog, kl,
      select(0.0, 1.0, low), select(0.0, 1.0, high), select(0.0, 1.0, bounded));
  }
  dLogprob[row] = gradient;
  for (var i = 0u; i < 8u; i++) { rowTerms[row * 8u + i] = terms[i]; }
}`;
}

const finite = (value: number): number => Math.min(value, OFF);

/** The surrogate's own parameters, by name. */
function surrogateParams({ kind: _, ...numbers }: SurrogateOptions): Readonly<Record<string, number>> {
  return numbers;
}

export class PolicyLossKernels {
  constructor(
    private readonly dispatcher: KernelDispatcher,
    private readonly storage: TensorAllocator,
  ) {}

  policyLoss(
    logprob: Tensor,
    oldLogprob: Tensor,
    refLogprob: Tensor,
    advantage: Tensor,
    weight: Tensor,
    sequences: Tensor | null,
    options: PolicyLossOptions,
  ): { dLogprob: Tensor; stats: Tensor } {
    const rows = logprob.size;
    expectShape("policyLoss", "logprob", logprob, [rows]);
    for (const [name, tensor] of Object.entries({ oldLogprob, refLogprob, advantage, weight }))
      expectShape("policyLoss", name, tensor, [rows]);
    const { level, klEstimator, surrogate, logRatioClamp, beta, klExponentClamp, klValueClamp } = options;
    if (level === "sequence") {
      if (sequences === null) throw new Error("policyLoss: at sequence level it needs the rows of each sequence.");
      expectShape("policyLoss", "sequences", sequences, [rows, 2]);
    }
    const dLogprob = this.storage.allocate([rows], "float32");
    const rowTerms = this.storage.allocate([rows, POLICY_LOSS_STATS.length], "float32");
    const stats = this.storage.allocate([POLICY_LOSS_STATS.length], "float32");
    const threads = this.dispatcher.traits.elementThreads;
    const numbers = { logRatioClamp, beta, klExponentClamp, klValueClamp, ...surrogateParams(surrogate) };
    const perSequence = level === "sequence" && sequences !== null ? [sequences] : [];
    const kernel = this.dispatcher.kernel(`policyLoss ${surrogate.kind} ${level} ${klEstimator}`, () => ({
      buffers: [
        read("logprob"),
        read("oldLogprob"),
        read("refLogprob"),
        read("advantage"),
        read("weight"),
        ...perSequence.map(() => read("sequences", "i32")),
        write("dLogprob"),
        write("rowTerms"),
      ],
      params: { rows: "u32", ...Object.fromEntries(Object.keys(numbers).map((name) => [name, "f32" as const])) },
      threads,
      code: policyLossCode({ kind: surrogate.kind, level, klEstimator }),
    }));
    this.dispatcher.run(
      kernel,
      [logprob, oldLogprob, refLogprob, advantage, weight, ...perSequence, dLogprob, rowTerms],
      [rows, ...Object.values(numbers).map(finite)],
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
