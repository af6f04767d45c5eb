/** Conformance of the sampler, the gradient's sum of squares, AdamW, and a backend's memory operations. */
import type { AdamWOptions, SampleOptions } from "../../kernels";
import { randomUniform } from "../../random";
import type { CaseBody } from "./compare";
import type { Probe } from "./probe";

const SAMPLE: SampleOptions = {
  temperature: 1,
  greedy: false,
  topK: 0,
  suppressTokens: [],
  seed: 7,
  step: 3,
  position: 2,
  stopTokens: [1, 4],
  padToken: 0,
};
const CAPACITY = 5;

/** Sums in another order differ in the last bits: draws this close to a boundary are no fair test. */
const MARGIN = 1e-3;

/**
 * A row id for which the draw lands clear of every boundary of the cumulative distribution, so that all backends must
 * agree on the token.
 */
function clearRowId(all: Float32Array, o: SampleOptions, firstPosition: number, from: number): number {
  const logits = all.map((logit, token) => (o.suppressTokens.includes(token) ? -Infinity : logit));
  const largest = Math.max(...logits);
  const kept = o.topK > 0 ? [...logits].sort((a, b) => b - a)[Math.min(o.topK, logits.length) - 1]! : -Infinity;
  const weights = Array.from(logits, (x) => (x >= kept ? Math.exp((x - largest) / o.temperature) : 0));
  const total = weights.reduce((a, b) => a + b, 0);
  for (let row = from; ; row++) {
    const u = randomUniform(o.seed, o.step, row, firstPosition + o.position);
    let cumulative = 0;
    const isClear = weights.every((w) => {
      cumulative += w / total;
      return Math.abs(cumulative - u) > Math.min(MARGIN, 0.2 / logits.length);
    });
    if (isClear) return row;
  }
}

function sampleRows(
  p: Probe,
  rows: number,
  vocabulary: number,
  options: SampleOptions,
  adjust: (logits: Float32Array) => void = () => {},
): void {
  const logits = p.normal(rows * vocabulary, 2);
  adjust(logits);
  const firstPositions = Array.from({ length: rows }, (_, r) => 8 * (r % 3));
  const rowIds = Array.from({ length: rows }, (_, r) =>
    clearRowId(logits.subarray(r * vocabulary, (r + 1) * vocabulary), options, firstPositions[r]!, r * 1000),
  );
  const buffers = {
    tokens: p.integers(
      Array.from({ length: rows * CAPACITY }, (_, i) => 900 + i),
      [rows, CAPACITY],
    ),
    logprobs: p.random([rows, CAPACITY]),
    entropies: p.random([rows, CAPACITY]),
    allowed: p.random([rows, CAPACITY]),
    next: p.integers(new Int32Array(rows).fill(-5)),
    done: p.integers(Array.from({ length: rows }, (_, r) => (r % 4 === 3 ? 1 : 0))),
    streams: p.integers(
      rowIds.flatMap((id, r) => [id, firstPositions[r]!]),
      [rows, 2],
    ),
  };
  p.kernels.sample(p.floats(logits, [rows, vocabulary]), buffers, options);
  p.compare("tokens", buffers.tokens, "exact");
  p.compare("next", buffers.next, "exact");
  p.compare("done", buffers.done, "exact");
  p.compare("logprobs", buffers.logprobs, "forward");
  p.compare("entropies", buffers.entropies, "forward");
  p.compare("allowed", buffers.allowed, "forward");
}

function* sampleCases(): Generator<[string, CaseBody]> {
  for (const [rows, vocabulary] of [
    [1, 2],
    [9, 37],
    [16, 151],
    [5, 1030],
  ] as const) {
    const size = `${rows} rows of ${vocabulary}`;
    yield [`sample greedily, ${size}`, (p) => sampleRows(p, rows, vocabulary, { ...SAMPLE, greedy: true })];
    for (const temperature of [1, 0.5, 1.7])
      yield [
        `sample at T = ${temperature}, ${size}`,
        (p) => sampleRows(p, rows, vocabulary, { ...SAMPLE, temperature }),
      ];
    for (const topK of [1, 5, 64])
      yield [
        `sample among the ${topK} most likely, ${size}`,
        (p) => sampleRows(p, rows, vocabulary, { ...SAMPLE, topK }),
      ];
    yield [
      `sample into the first column, ${size}`,
      (p) => sampleRows(p, rows, vocabulary, { ...SAMPLE, position: 0, seed: 123456789, step: 0 }),
    ];
  }
  // Rows lean towards the suppressed tokens by up to 99.99 % of a row's probability, or by far more than float32 holds.
  for (const [bias, name] of [
    [0, "ordinary"],
    [8, "likely"],
    [200, "nearly certain"],
  ] as const) {
    const suppressTokens = [5, 12, 13, 14, 36];
    const lean = (logits: Float32Array): void => {
      for (let i = 0; i < logits.length; i++) if (suppressTokens.includes(i % 37)) logits[i]! += bias;
    };
    for (const [options, how] of [
      [{}, "at T = 1"],
      [{ temperature: 0.5 }, "at T = 0.5"],
      [{ greedy: true }, "greedily"],
      [{ topK: 3 }, "among the 3 most likely"],
    ] as const)
      yield [
        `sample ${how}, ${name} tokens suppressed`,
        (p) => sampleRows(p, 9, 37, { ...SAMPLE, ...options, suppressTokens }, lean),
      ];
  }
  yield [
    "sample the only token that is not suppressed; an id beyond the vocabulary is none of them",
    (p) => sampleRows(p, 6, 4, { ...SAMPLE, suppressTokens: [0, 2, 3, 90] }),
  ];
  yield [
    "sample greedily takes the first of equal logits",
    (p) => sampleRows(p, 3, 40, { ...SAMPLE, greedy: true }, (logits) => logits.fill(1.5)),
  ];
  yield [
    "sample never draws an impossible token",
    (p) =>
      sampleRows(p, 6, 40, SAMPLE, (logits) => {
        for (let i = 0; i < logits.length; i++) if (i % 40 < 35) logits[i] = -1e9;
      }),
  ];
  yield [
    "sample with every token a stop token marks every row done",
    (p) => sampleRows(p, 6, 8, { ...SAMPLE, stopTokens: Array.from({ length: 8 }, (_, i) => i), padToken: 7 }),
  ];
}

const ADAMW: AdamWOptions = {
  learningRate: 1e-2,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  updateCount: 1,
  maxGradNorm: 1,
};

function adamw(
  p: Probe,
  size: number,
  options: AdamWOptions,
  gradSquares: readonly number[] | null,
  gradScale = 1,
): void {
  const [theta, grad, m] = [p.random([size]), p.random([size], gradScale), p.random([size], 0.1)];
  const v = p.floats(p.normal(size, 0.1).map(Math.abs));
  const squares = gradSquares ? p.floats(gradSquares) : p.keep(p.kernels.sumSquares(grad));
  p.compare("refused", p.kernels.adamw(theta, grad, m, v, squares, options), "exact");
  const agreement = gradSquares ? "exact" : "forward";
  p.compare("theta", theta, agreement);
  p.compare("m", m, agreement);
  p.compare("v", v, agreement);
}

/** @param huge the parameter whose gradient's square overflows */
function overflowing(
  p: Probe,
  size: number,
  options: AdamWOptions,
  gradScale: number,
  huge: number | null = null,
): void {
  const gradient = p.normal(size, gradScale).map((g, i) => (i === huge ? 1e25 : g));
  const [theta, m] = [p.random([size], 1e3), p.random([size])];
  const v = p.floats(p.normal(size).map(Math.abs));
  p.compare("refused", p.kernels.adamw(theta, p.floats(gradient), m, v, p.floats([1]), options), "exact");
  // The reference writes nothing (reference/step.test.ts).
  p.compare("theta", theta, "exact");
  p.compare("m", m, "exact");
  p.compare("v", v, "exact");
}

function* optimiserCases(): Generator<[string, CaseBody]> {
  for (const size of [1, 5, 1000, 100_003]) {
    yield [`sumSquares of ${size}`, (p) => p.compare("sum", p.kernels.sumSquares(p.random([size])), "forward")];
    yield [`adamw on ${size} parameters, clipped`, (p) => adamw(p, size, ADAMW, null)];
  }
  yield ["adamw, gradient below the clip", (p) => adamw(p, 77, { ...ADAMW, maxGradNorm: 1000 }, null)];
  yield [
    "adamw without clip or decay, 100th update",
    (p) => adamw(p, 77, { ...ADAMW, maxGradNorm: Infinity, weightDecay: 0, updateCount: 100 }, null),
  ];
  yield ["adamw with tiny gradients", (p) => adamw(p, 77, { ...ADAMW, maxGradNorm: Infinity }, null, 1e-6)];
  for (const bad of [NaN, Infinity])
    yield [`adamw writes nothing when the gradient's sum of squares is ${bad}`, (p) => adamw(p, 9, ADAMW, [bad])];
  for (const [what, options] of [
    ["a learning rate beyond f32", { learningRate: 1e39 }],
    ["a learning rate that overflows with the bias correction", { learningRate: 1e38 }],
    ["a learning rate that overflows with the moments", { learningRate: 1e38, updateCount: 100 }],
    ["a weight decay that overflows", { learningRate: 1e20, weightDecay: 1e20 }],
  ] as const)
    for (const gradScale of [0, 1])
      yield [
        `adamw writes nothing with ${what}, gradient ${gradScale === 0 ? "0" : "not 0"}`,
        (p) => overflowing(p, 1003, { ...ADAMW, ...options }, gradScale),
      ];
  yield [
    "adamw writes nothing where one moment of many would overflow",
    (p) => overflowing(p, 100_003, { ...ADAMW, maxGradNorm: Infinity }, 1, 99_999),
  ];
  yield [
    "adamw twice on views of flat buffers",
    (p) => {
      const flats = [0, 1, 2, 3].map((i) => p.floats(p.normal(200, i === 3 ? 0 : 1, i === 3 ? 0.5 : 0)));
      const views = flats.map((flat) => p.keep(p.backend.view(flat, 128, [70])));
      for (const updateCount of [1, 2]) {
        const squares = p.keep(p.kernels.sumSquares(views[1]!));
        p.keep(p.kernels.adamw(views[0]!, views[1]!, views[2]!, views[3]!, squares, { ...ADAMW, updateCount }));
      }
      flats.forEach((flat, i) => p.compare(`buffer ${i}`, flat, "forward"));
    },
  ];
}

function* memoryCases(): Generator<[string, CaseBody]> {
  yield [
    "zeros, write with an offset, and views share memory",
    (p) => {
      const flat = p.keep(p.backend.zeros([200]));
      p.backend.write(flat, Float32Array.of(1, 2, 3), 127);
      const view = p.keep(p.backend.view(flat, 128, [2, 3]));
      p.backend.write(view, Float32Array.of(9), 4);
      const integers = p.keep(p.backend.zeros([4], "int32"));
      p.backend.write(integers, Int32Array.of(-7, 2_000_000_011), 1);
      p.compare("flat", flat, "exact");
      p.compare("view", view, "exact");
      p.compare("integers", integers, "exact");
    },
  ];
  yield [
    "fill through a view changes only the view",
    (p) => {
      const flat = p.random([300]);
      p.kernels.fill(p.keep(p.backend.view(flat, 64, [5, 7])), 2.5);
      p.compare("flat", flat, "exact");
    },
  ];
}

export function* stepCases(): Generator<[string, CaseBody]> {
  yield* sampleCases();
  yield* optimiserCases();
  yield* memoryCases();
}
