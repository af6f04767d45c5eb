/** Conformance of embedding, RMSNorm, Linear in three weight formats, and LoRA. */
import type { WeightFormat } from "../../packedWeight";
import type { CaseBody } from "./compare";

/** [rows, in, out]: single elements, odd sizes, one tile, ragged tiles, one row against many. */
const PLAIN_SIZES = [
  [1, 1, 1],
  [3, 5, 7],
  [17, 33, 65],
  [64, 64, 64],
  [70, 96, 100],
  [1, 128, 130],
] as const;
const HALF_SIZES = [
  [1, 6, 5],
  [5, 64, 67],
  [19, 130, 33],
] as const;
const INT4_SIZES = [
  [1, 32, 5],
  [5, 96, 67],
  [33, 128, 64],
] as const;
const SIZES: readonly (readonly [WeightFormat, readonly (readonly [number, number, number])[]])[] = [
  ["f32", PLAIN_SIZES],
  ["f16", HALF_SIZES],
  ["int4", INT4_SIZES],
];

function* linearCases(): Generator<[string, CaseBody]> {
  for (const [format, sizes] of SIZES) {
    for (const [rows, columns, out] of sizes) {
      const size = `${format} [${rows}, ${columns}] · [${out}, ${columns}]ᵀ`;
      for (const [bias, residual] of [
        [false, false],
        [true, false],
        [true, true],
        [false, true],
      ] as const) {
        const extras = `${bias ? " + bias" : ""}${residual ? " + residual" : ""}`;
        yield [
          `linear ${size}${extras}`,
          (p) => {
            const y = p.kernels.linear(
              p.random([rows, columns]),
              p.weight(out, columns, format),
              bias ? p.random([out]) : null,
              residual ? p.random([rows, out]) : null,
            );
            p.compare("y", y, "forward");
          },
        ];
      }
      for (const add of [false, true]) {
        yield [
          `linearGradInput ${size}${add ? " + add" : ""}`,
          (p) => {
            p.compare(
              "dx",
              p.kernels.linearGradInput(
                p.random([rows, out]),
                p.weight(out, columns, format),
                add ? p.random([rows, columns]) : null,
              ),
              "gradient",
            );
          },
        ];
      }
    }
  }
  for (const [rows, columns, out] of PLAIN_SIZES) {
    for (const [weight, bias] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      yield [
        `linearGradWeight [${rows}, ${out}]ᵀ · [${rows}, ${columns}], ` +
          `${[weight && "weight", bias && "bias"].filter(Boolean).join(" and ")} accumulate`,
        (p) => {
          const [intoWeight, intoBias] = [p.random([out, columns]), p.random([out])];
          p.kernels.linearGradWeight(
            p.random([rows, columns]),
            p.random([rows, out]),
            weight ? intoWeight : null,
            bias ? intoBias : null,
          );
          p.compare("dWeight", intoWeight, "gradient");
          p.compare("dBias", intoBias, "gradient");
        },
      ];
    }
  }
  yield [
    "linear refuses mismatched shapes",
    (p) => {
      const weight = p.weight(4, 6, "f32");
      p.refuses("linear", () => p.kernels.linear(p.random([3, 5]), weight, null, null));
      p.refuses("linear", () => p.kernels.linear(p.random([3, 6]), weight, p.random([5]), null));
      p.refuses("linearGradInput", () => p.kernels.linearGradInput(p.random([3, 6]), weight, null));
      p.refuses("linearGradWeight", () =>
        p.kernels.linearGradWeight(p.random([3, 6]), p.random([2, 4]), p.random([4, 6]), null),
      );
    },
  ];
  yield [
    "linear with weight and gradient as views of one flat buffer",
    (p) => {
      const [out, columns, rows] = [6, 10, 5];
      const start = 128; // a multiple of every backend's viewAlignment
      const theta = p.random([start + out * columns + 3]);
      const grad = p.random([start + out * columns + 3]);
      const values = p.keep(p.backend.view(theta, start, [out, columns]));
      const y = p.kernels.linear(p.random([rows, columns]), { format: "f32", out, in: columns, values }, null, null);
      p.kernels.linearGradWeight(
        p.random([rows, columns]),
        y,
        p.keep(p.backend.view(grad, start, [out, columns])),
        null,
      );
      p.compare("y", y, "forward");
      p.compare("the whole gradient buffer", grad, "gradient");
    },
  ];
}

function* embeddingCases(): Generator<[string, CaseBody]> {
  const ids = [3, 0, -1, 3, 36, -3, -2, 3, 17, -1];
  const tokens = ids.map((id) => Math.abs(id));
  for (const [format, width] of [
    ["f32", 19],
    ["f32", 64],
    ["f16", 22],
    ["int4", 96],
  ] as const) {
    yield [
      `embedding ${format} [37, ${width}]`,
      (p) => p.compare("rows", p.kernels.embedding(p.weight(37, width, format), null, p.integers(tokens)), "forward"),
    ];
    yield [
      `embedding ${format} [37, ${width}] with image features`,
      (p) =>
        p.compare(
          "rows",
          p.kernels.embedding(p.weight(37, width, format), p.random([3, width]), p.integers(ids)),
          "forward",
        ),
    ];
  }
  for (const width of [19, 64]) {
    for (const [table, features] of [
      [true, true],
      [true, false],
      [false, true],
    ] as const) {
      yield [
        `embeddingGrad [37, ${width}] into ${[table && "table", features && "features"].filter(Boolean).join(" and ")}`,
        (p) => {
          const [intoTable, intoFeatures] = [p.random([37, width]), p.random([3, width])];
          p.kernels.embeddingGrad(
            p.random([ids.length, width]),
            p.integers(ids),
            table ? intoTable : null,
            features ? intoFeatures : null,
          );
          p.compare("dTable", intoTable, "gradient");
          p.compare("dFeatures", intoFeatures, "gradient");
        },
      ];
    }
  }
  yield [
    "embeddingGrad of one token repeated 300 times",
    (p) => {
      const intoTable = p.random([5, 8]);
      p.kernels.embeddingGrad(
        p.random([300, 8]),
        p.integers(Array.from({ length: 300 }, (_, i) => (i % 7 === 0 ? 1 : 4))),
        intoTable,
        null,
      );
      p.compare("dTable", intoTable, "gradient");
    },
  ];
}

function* normCases(): Generator<[string, CaseBody]> {
  for (const [rows, width] of [
    [1, 1],
    [5, 19],
    [33, 128],
    [3, 1280],
  ] as const) {
    yield [
      `rmsNorm [${rows}, ${width}]`,
      (p) => p.compare("y", p.kernels.rmsNorm(p.random([rows, width], 3), p.random([width], 0.2, 1), 1e-6), "forward"),
    ];
    for (const [residual, weight] of [
      [false, true],
      [true, true],
      [true, false],
    ] as const) {
      yield [
        `rmsNormGrad [${rows}, ${width}]${residual ? " + residual" : ""}${weight ? "" : ", frozen weight"}`,
        (p) => {
          const intoWeight = p.random([width]);
          const dx = p.kernels.rmsNormGrad(
            p.random([rows, width], 3),
            p.random([width], 0.2, 1),
            p.random([rows, width]),
            1e-6,
            residual ? p.random([rows, width]) : null,
            weight ? intoWeight : null,
          );
          // A single column is normalised to ±1: its gradient is rounding noise, left open.
          p.compare("dx", dx, "gradient", width === 1 && !residual ? () => false : undefined);
          p.compare("dWeight", intoWeight, "gradient");
        },
      ];
    }
  }
  for (const rows of [64, 65, 4097]) {
    // sums in blocks of 64: one, two and three levels
    yield [
      `rmsNormGrad of ${rows} rows: the weight's`,
      (p) => {
        const intoWeight = p.random([3]);
        p.kernels.rmsNormGrad(
          p.random([rows, 3], 3),
          p.random([3], 0.2, 1),
          p.random([rows, 3]),
          1e-6,
          null,
          intoWeight,
        );
        p.compare("dWeight", intoWeight, "gradient");
      },
    ];
  }
  yield [
    "rmsNorm of zeros and of huge values",
    (p) => {
      const x = p.floats([0, 0, 0, 0, 1e15, -1e15, 2e15, 5e14, 1e-12, 2e-12, -1e-12, 0], [3, 4]);
      p.compare("y", p.kernels.rmsNorm(x, p.floats([1, 1, 1, 1]), 1e-6), "forward");
    },
  ];
}

function* loraCases(): Generator<[string, CaseBody]> {
  for (const [rows, width, offset, count, rank] of [
    [5, 40, 7, 19, 3],
    [33, 96, 64, 32, 8],
    [1, 16, 0, 16, 4],
  ] as const) {
    const columns = { offset, count };
    const size = `[${rows}, ${width}] columns ${offset}…${offset + count}, rank ${rank}`;
    yield [
      `loraApply ${size}`,
      (p) => {
        const y = p.random([rows, width]);
        p.kernels.loraApply(y, columns, p.random([rows, rank]), p.random([count, rank]), 0.75);
        p.compare("y", y, "forward");
      },
    ];
    for (const trained of [true, false]) {
      yield [
        `loraApplyGrad ${size}${trained ? "" : ", frozen B"}`,
        (p) => {
          const intoB = p.random([count, rank]);
          const dh = p.kernels.loraApplyGrad(
            p.random([rows, width]),
            columns,
            p.random([rows, rank]),
            p.random([count, rank]),
            0.75,
            trained ? intoB : null,
          );
          p.compare("dh", dh, "gradient");
          p.compare("dB", intoB, "gradient");
        },
      ];
    }
  }
}

export function* linearMapCases(): Generator<[string, CaseBody]> {
  yield* linearCases();
  yield* embeddingCases();
  yield* normCases();
  yield* loraCases();
}
