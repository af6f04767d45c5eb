/** Conformance of the element-wise kernels, the log-probabilities of tokens and the policy-gradient loss. */
import type { Kernels } from "../../kernels";
import type { PolicyLossOptions } from "../../policyLossOptions";
import type { CaseBody } from "./compare";
import type { Probe } from "./probe";

const SIZES = [
  [1, 1],
  [3, 7],
  [33, 64],
  [5, 1001],
] as const;

function* pointwiseCases(): Generator<[string, CaseBody]> {
  for (const [rows, width] of SIZES) {
    const size = `[${rows}, ${width}]`;
    yield [
      `swiglu and its gradient to ${size}`,
      (p) => {
        const gateUp = p.random([rows, 2 * width], 3);
        p.compare("y", p.kernels.swiglu(gateUp), "forward");
        p.compare("dGateUp", p.kernels.swigluGrad(gateUp, p.random([rows, width])), "gradient");
      },
    ];
    yield [
      `gelu and its gradient ${size}`,
      (p) => {
        const x = p.random([rows, width], 3);
        p.compare("y", p.kernels.gelu(x), "forward");
        p.compare("dx", p.kernels.geluGrad(x, p.random([rows, width])), "gradient");
      },
    ];
    yield [
      `add and fill ${size}`,
      (p) => {
        const a = p.random([rows, width]);
        p.compare("sum", p.kernels.add(a, p.random([rows, width])), "exact");
        p.kernels.fill(a, -0.25);
        p.compare("filled", a, "exact");
      },
    ];
  }
  yield [
    "swiglu and gelu of extreme values stay finite",
    (p) => {
      const x = p.floats([-1000, 1000, -90, 90, -20, 20, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], [2, 8]);
      p.compare("swiglu", p.kernels.swiglu(x), "forward");
      p.compare("swigluGrad", p.kernels.swigluGrad(x, p.random([2, 4])), "gradient");
      p.compare("gelu", p.kernels.gelu(x), "forward");
      p.compare("geluGrad", p.kernels.geluGrad(x, p.random([2, 8])), "gradient");
    },
  ];
  yield [
    "add refuses mismatched shapes",
    (p) => p.refuses("add", () => p.kernels.add(p.random([2, 3]), p.random([3, 2]))),
  ];
}

function* logprobCases(): Generator<[string, CaseBody]> {
  for (const [format, rows, width, vocabulary] of [
    ["f32", 7, 19, 37],
    ["f32", 33, 64, 200],
    ["f32", 1, 128, 151],
    ["f32", 3, 32, 1030],
    ["f16", 5, 66, 130],
    ["int4", 5, 64, 130],
  ] as const) {
    for (const temperature of [1, 0.6]) {
      const setUp = (p: Probe) => ({
        hidden: p.random([rows, width], 2),
        head: p.weight(vocabulary, width, format, 3 / Math.sqrt(width)),
        targets: p.integers(Array.from({ length: rows }, (_, i) => (i % 4 === 2 ? -1 : (i * 89 + 5) % vocabulary))),
      });
      yield [
        `tokenLogprobs ${format} [${rows}, ${width}], vocabulary ${vocabulary}, T = ${temperature}`,
        (p) => {
          const { hidden, head, targets } = setUp(p);
          const { logprob, lse, entropy } = p.kernels.tokenLogprobs(hidden, head, targets, temperature);
          p.compare("logprob", logprob, "forward");
          p.compare("lse", lse, "forward");
          p.compare("entropy", entropy, "forward");
        },
      ];
      for (const trained of format === "f32" ? [true, false] : [false]) {
        yield [
          `tokenLogprobsGrad ${format} [${rows}, ${width}], vocabulary ${vocabulary}, T = ` +
            `${temperature}${trained ? "" : ", frozen head"}`,
          (p) => {
            const { hidden, head, targets } = setUp(p);
            const { logprob, lse, entropy } = p.kernels.tokenLogprobs(hidden, head, targets, temperature);
            for (const tensor of [logprob, lse, entropy]) p.keep(tensor);
            const intoHead = p.random([vocabulary, width]);
            const dHidden = p.kernels.tokenLogprobsGrad(
              hidden,
              head,
              targets,
              lse,
              p.random([rows]),
              temperature,
              trained ? intoHead : null,
            );
            p.compare("dHidden", dHidden, "gradient");
            p.compare("dHead", intoHead, "gradient");
          },
        ];
      }
    }
  }
}

const CLIP = { kind: "clip", clipLow: 0.2, clipHigh: 0.2, dualClip: Infinity, ratioMax: Infinity } as const;
const PLAIN: PolicyLossOptions = {
  surrogate: CLIP,
  level: "token",
  logRatioClamp: Infinity,
  beta: 0,
  klEstimator: "k3",
  klExponentClamp: Infinity,
  klValueClamp: Infinity,
};
const EVERYTHING: PolicyLossOptions = {
  surrogate: { kind: "clip", clipLow: 0.1, clipHigh: 0.3, dualClip: 1.5, ratioMax: 2.5 },
  level: "token",
  logRatioClamp: 0.7,
  beta: 0.5,
  klEstimator: "k3",
  klExponentClamp: 0.7,
  klValueClamp: Infinity,
};
/** The meaning of each option is tested in src/training/policyLoss.gpu.test.ts; here are shapes, masks and refusals. */
const LOSSES: Readonly<Record<string, PolicyLossOptions>> = {
  "clip 0.2": PLAIN,
  "k3 penalty": { ...PLAIN, beta: 0.04 },
  "everything at once": EVERYTHING,
};

function compareLoss(p: Probe, { dLogprob, stats }: ReturnType<Kernels["policyLoss"]>): void {
  p.compare("dLogprob", dLogprob, "gradient");
  p.compare("stats", stats, "forward");
}

function* lossCases(): Generator<[string, CaseBody]> {
  for (const [name, options] of Object.entries(LOSSES)) {
    for (const rows of [1, 9, 500]) {
      yield [
        `policyLoss of ${rows} rows, ${name}`,
        (p) => {
          const logprob = p.normal(rows, 1, -3);
          const near = (spread: number) => p.floats(p.normal(rows, spread).map((d, i) => d + logprob[i]!));
          const weight = p.floats(p.normal(rows).map((w, i) => (i % 5 === 4 ? 0 : (Math.abs(w) + 0.1) / rows)));
          const loss = p.kernels.policyLoss(
            p.floats(logprob),
            near(0.6),
            near(0.4),
            p.random([rows]),
            weight,
            null,
            options,
          );
          compareLoss(p, loss);
        },
      ];
    }
  }
  yield [
    "policyLoss where old and new policy are one: ratio 1, nothing clipped",
    (p) => {
      const same = p.normal(6, 1, -2);
      const loss = p.kernels.policyLoss(
        p.floats(same),
        p.floats(same),
        p.floats(same),
        p.random([6]),
        p.floats(new Float32Array(6).fill(1 / 6)),
        null,
        EVERYTHING,
      );
      compareLoss(p, loss);
    },
  ];
  yield [
    "policyLoss does not look at masked rows, whatever they hold",
    (p) => {
      const absurd = [NaN, Infinity, -Infinity, 1e38, -1e38];
      const mixed = (live: Float32Array, shift: number) =>
        p.floats([
          ...live.slice(0, 3),
          ...absurd.map((_, i) => absurd[(i + shift) % absurd.length]!),
          ...live.slice(3),
        ]);
      const values = () => p.normal(5, 0.5, -1);
      const weight = p.floats([0.2, 0.1, 0.3, 0, 0, 0, 0, 0, 0.2, 0.2]);
      const loss = p.kernels.policyLoss(
        mixed(values(), 0),
        mixed(values(), 1),
        mixed(values(), 2),
        mixed(values(), 3),
        weight,
        null,
        EVERYTHING,
      );
      compareLoss(p, loss);
    },
  ];
  yield [
    "policyLoss with every row masked is 0",
    (p) => {
      const loss = p.kernels.policyLoss(
        p.floats([NaN, 1]),
        p.floats([2, NaN]),
        p.floats([1, 1]),
        p.floats([1, 1]),
        p.floats([0, 0]),
        null,
        PLAIN,
      );
      p.compare("dLogprob", loss.dLogprob, "exact");
      p.compare("stats", loss.stats, "exact");
    },
  ];
  yield [
    "policyLoss refuses mismatched shapes",
    (p) =>
      p.refuses("policyLoss", () =>
        p.kernels.policyLoss(p.random([3]), p.random([2]), p.random([3]), p.random([3]), p.random([3]), null, PLAIN),
      ),
  ];
}

export function* objectiveCases(): Generator<[string, CaseBody]> {
  yield* pointwiseCases();
  yield* logprobCases();
  yield* lossCases();
}
