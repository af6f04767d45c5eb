/**
 * The sampler: softmax at temperature T over one row of logits, top-k by threshold (ties with the k-th
 * survive), a draw by the rule and the random stream of random.ts, all on the device. Suppressed tokens are passed over
 * wherever the draw is decided, and come back in the log-probability and the entropy. A workgroup per row; each
 * invocation owns a contiguous run of tokens, so cumulative sums follow token order.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { DynamicOptions, SampleBuffers, SampleOptions } from "../../kernels";
import { MAX_SUPPRESSED_TOKENS, suppressedIn } from "../../suppressedTokens";
import type { KernelDispatcher } from "../dispatch";
import { read, write } from "../kernelSpec";
import type { ParamType } from "../parameterRing";
import { expectShape, matrix } from "../shapes";
import { ROW_MAX, ROW_SUM, rowReduction } from "./rowReduce";

const MAX_STOP_TOKENS = 8;
const STOPS = Array.from(
  { length: MAX_STOP_TOKENS },
  (_, i) => `if (params.stops > ${i}u && i32(token) == params.stop${i}) { done[row] = 1; }`,
).join("\n  ");

const STOP_PARAMS: Readonly<Record<string, ParamType>> = Object.fromEntries(
  Array.from({ length: MAX_STOP_TOKENS }, (_, i) => [`stop${i}`, "i32" as const]),
);

const SUPPRESSED = Array.from({ length: MAX_SUPPRESSED_TOKENS }, (_, i) => `suppressed${i}`);

const SUPPRESSED_PARAMS: Readonly<Record<string, ParamType>> = {
  suppressedCount: "u32",
  suppressedFirst: "u32",
  suppressedEnd: "u32",
  ...Object.fromEntries(SUPPRESSED.map((name) => [name, "u32" as const])),
};

/** Suppressed tokens lie close together: one comparison with their range rules out all others. */
const SUPPRESS = `
fn suppressed(t: u32) -> bool {
  if (t < params.suppressedFirst || t >= params.suppressedEnd) { return false; }
  return ${SUPPRESSED.map((name) => `t == params.${name}`).join(" || ")};
}
/** log P of the tokens that may be drawn, and the suppressed tokens' part of the entropy over all. */
fn restOf(start: u32, largest: f32, logSum: f32) -> vec2<f32> {
  var ids = array<u32, ${MAX_SUPPRESSED_TOKENS}>(${SUPPRESSED.map((name) => `params.${name}`).join(", ")});
  var most = -3e38;
  for (var i = 0u; i < params.suppressedCount; i++) {
    most = max(most, (logits[start + ids[i]] - largest) * params.inverseT);
  }
  var others = 0.0;
  for (var i = 0u; i < params.suppressedCount; i++) {
    others += exp((logits[start + ids[i]] - largest) * params.inverseT - most);
  }
  let excess = most + log(others) - logSum;
  let logAllowed = -(max(excess, 0.0) + log(1.0 + exp(-abs(excess))));
  var entropy = 0.0;
  for (var i = 0u; i < params.suppressedCount; i++) {
    let logp = (logits[start + ids[i]] - largest) * params.inverseT - logSum + logAllowed;
    let p = exp(logp);
    if (p > 0.0) { entropy -= p * logp; }
  }
  return vec2<f32>(logAllowed, entropy);
}`;

const RANDOM = `
fn mixBits(start: u32) -> u32 {
  var x = start;
  x ^= x >> 16u; x *= 0x7feb352du; x ^= x >> 15u; x *= 0x846ca68bu; x ^= x >> 16u;
  return x;
}
fn randomUniform(seed: u32, step: u32, row: u32, position: u32) -> f32 {
  var h = mixBits(seed ^ 0x9e3779b9u);
  h = mixBits(h + step * 0x85ebca6bu);
  h = mixBits(h + row * 0xc2b2ae35u);
  h = mixBits(h + position * 0x27d4eb2fu);
  return (f32(h >> 8u) + 0.5) / 16777216.0;
}`;

/** The k-th largest logit as an order-preserving integer, found bit by bit. */
const TOP_K = `
fn orderKey(x: f32) -> u32 { let b = bitcast<u32>(x); return select(b | 0x80000000u, ~b, (b >> 31u) == 1u); }
fn topKThreshold(start: u32, first: u32, end: u32, lane: u32) -> u32 {
  var threshold = 0u;
  for (var bit = 0u; bit < 32u; bit++) {
    let candidate = threshold | (0x80000000u >> bit);
    var count = 0u;
    for (var t = first; t < end; t++) {
      count += select(0u, 1u, orderKey(logits[start + t]) >= candidate && !suppressed(t));
    }
    if (rowCount(count, lane) >= params.topK) { threshold = candidate; }
  }
  return threshold;
}`;

const sampleCode = (topK: boolean): string => `
${ROW_SUM}
${ROW_MAX}
${rowReduction("rowFirst", "u32", (a, b) => `min(${a}, ${b})`)}
${topK ? rowReduction("rowCount", "u32", (a, b) => `${a} + ${b}`) : ""}
${RANDOM}
${SUPPRESS}
${topK ? TOP_K : ""}
var<workgroup> runs: array<f32, THREADS>;
fn kernel(row: u32, lane: u32) {
  let start = row * params.vocabulary;
  let run = (params.vocabulary + THREADS - 1u) / THREADS;
  let first = min(lane * run, params.vocabulary);
  let end = min(first + run, params.vocabulary);
  var ownMax = -3e38;
  var ownFirst = params.vocabulary;
  for (var t = first; t < end; t++) {
    if (logits[start + t] > ownMax && !suppressed(t)) { ownMax = logits[start + t]; ownFirst = t; }
  }
  let largest = rowMax(ownMax, lane);
  let best = min(rowFirst(select(params.vocabulary, ownFirst, ownMax == largest), lane), params.vocabulary - 1u);
  ${topK ? "let threshold = topKThreshold(start, first, end, lane);" : ""}
  var total = 0.0;
  var weighted = 0.0;
  var kept = 0.0;
  for (var t = first; t < end; t++) {
    if (suppressed(t)) { continue; }
    let shifted = (logits[start + t] - largest) * params.inverseT;
    let e = exp(shifted);
    total += e;
    weighted += e * shifted;
    ${topK ? "if (orderKey(logits[start + t]) >= threshold) { kept += e; }" : "kept += e;"}
  }
  runs[lane] = kept;
  let all = rowSum(total, lane);
  let allWeighted = rowSum(weighted, lane);
  if (lane != 0u) { return; }

  let at = row * params.capacity + params.position;
  if (done[row] != 0) {
    tokens[at] = params.padToken;
    next[row] = params.padToken;
    logprobs[at] = 0.0;
    entropies[at] = 0.0;
    allowed[at] = 0.0;
    return;
  }
  var token = best;
  if (params.greedy == 0u) {
    var keptTotal = 0.0;
    for (var r = 0u; r < THREADS; r++) { keptTotal += runs[r]; }
    let stream = streams[row];
    let goal = randomUniform(params.seed, params.step, stream.x, stream.y + params.position) * keptTotal;
    var before = 0.0;
    var r = 0u;
    while (r < THREADS - 1u && before + runs[r] <= goal) { before += runs[r]; r++; }
    // Rounding may leave the goal just past the run: walk on, and keep the last possible token.
    var t = r * run;
    while (t < params.vocabulary) {
      let e = exp((logits[start + t] - largest) * params.inverseT);
      ${topK ? "let possible = e > 0.0 && orderKey(logits[start + t]) >= threshold;" : "let possible = e > 0.0;"}
      if (possible && !suppressed(t)) {
        token = t;
        before += e;
        if (before > goal) { break; }
      }
      t++;
    }
  }
  tokens[at] = i32(token);
  next[row] = i32(token);
  // Over all tokens from here on. Entropy: of the two parts' shares, and within each part.
  let drawnEntropy = log(all) - allWeighted / all;
  var logAllowed = 0.0;
  var entropy = drawnEntropy;
  if (params.suppressedCount > 0u) {
    let rest = restOf(start, largest, log(all));
    logAllowed = rest.x;
    entropy = exp(logAllowed) * (drawnEntropy - logAllowed) + rest.y;
  }
  logprobs[at] = (logits[start + token] - largest) * params.inverseT - log(all) + logAllowed;
  entropies[at] = entropy;
  allowed[at] = logAllowed;
  ${STOPS}
}`;

export class SampleKernels {
  constructor(private readonly dispatcher: KernelDispatcher) {}

  sample(logits: Tensor, buffers: SampleBuffers, options: SampleOptions): void {
    const [rows, vocabulary] = matrix("sample", "logits", logits);
    const [, capacity] = matrix("sample", "tokens", buffers.tokens);
    for (const name of ["tokens", "logprobs", "entropies", "allowed"] as const)
      expectShape("sample", name, buffers[name], [rows, capacity]);
    for (const name of ["next", "done"] as const) expectShape("sample", name, buffers[name], [rows]);
    expectShape("sample", "streams", buffers.streams, [rows, 2]);
    const { temperature, greedy, seed, step, position, stopTokens, padToken } = options;
    if (position < 0 || position >= capacity)
      throw new Error(`sample: position ${position} lies outside the ${capacity} columns of the output buffers.`);
    if (!(temperature > 0))
      throw new Error(`sample: temperature must be above 0, got ${temperature}; use greedy for the arg-max.`);
    if (stopTokens.length > MAX_STOP_TOKENS)
      throw new Error(`sample: at most ${MAX_STOP_TOKENS} stop tokens, got ${stopTokens.length}.`);
    const suppressed = suppressedIn(vocabulary, options.suppressTokens);
    const topK = options.topK > 0 && options.topK < vocabulary && !greedy ? options.topK : 0;
    const kernel = this.dispatcher.kernel(`sample${topK > 0 ? " topK" : ""}`, () => ({
      buffers: [
        read("logits"),
        write("tokens", "i32"),
        write("logprobs"),
        write("entropies"),
        write("next", "i32"),
        write("done", "i32"),
        read("streams", "vec2<u32>"),
        write("allowed"),
      ],
      params: {
        vocabulary: "u32",
        capacity: "u32",
        position: "u32",
        seed: "u32",
        step: "u32",
        topK: "u32",
        greedy: "u32",
        padToken: "i32",
        inverseT: "f32",
        stops: "u32",
        ...STOP_PARAMS,
        ...SUPPRESSED_PARAMS,
      },
      threads: this.dispatcher.traits.rowThreads,
      code: sampleCode(topK > 0),
    }));
    const stops = Array.from({ length: MAX_STOP_TOKENS }, (_, i) => stopTokens[i] ?? -1);
    const params = (dynamicOptions: DynamicOptions): number[] => [
      vocabulary,
      capacity,
      dynamicOptions.position ?? position,
      dynamicOptions.seed ?? seed,
      dynamicOptions.step ?? step,
      topK,
      greedy ? 1 : 0,
      padToken,
      1 / temperature,
      stopTokens.length,
      ...stops,
      suppressed.length,
      suppressed.length === 0 ? 0 : Math.min(...suppressed),
      suppressed.length === 0 ? 0 : Math.max(...suppressed) + 1,
      ...SUPPRESSED.map((_, i) => suppressed[i] ?? suppressed[0] ?? 0),
    ];
    this.dispatcher.run(
      kernel,
      [
        logits,
        buffers.tokens,
        buffers.logprobs,
        buffers.entropies,
        buffers.next,
        buffers.done,
        buffers.streams,
        buffers.allowed,
      ],
      params,
      rows,
    );
  }
}
