/** Conformance of the kernels that write the KV cache, and of attention over an f16 cache. */
import { fused } from "./attentionCases";
import type { CaseBody } from "./compare";
import { angleTables } from "./ropeCases";

export function* copyRowsCases(): Generator<[string, CaseBody]> {
  for (const cacheOffset of [0, 2]) {
    yield [
      `copyRows, some rows skipped, cacheOffset ${cacheOffset}`,
      (p) => {
        const into = p.random([12, 7]);
        p.kernels.copyRows(
          p.random([5, 11]),
          { offset: 3, count: 7 },
          p.integers([4, -1, 0, 9, -3]),
          cacheOffset,
          into,
        );
        p.compare("into", into, "exact");
      },
    ];
  }
}

export function* ropeToCacheCases(): Generator<[string, CaseBody]> {
  for (const [heads, kvHeads, headDim, cacheOffset, angleRow] of [
    [4, 2, 8, 0, 0],
    [1, 1, 6, 3, 5],
    [4, 4, 32, 1, 10],
  ] as const) {
    yield [
      `ropeToCache of ${heads} heads over ${kvHeads}, ${headDim} columns, cacheOffset ${cacheOffset}, angles ` +
        `from row ${angleRow}`,
      (p) => {
        const [cos, sin] = angleTables(p, angleRow + 5, headDim);
        const qkv = p.random([5, (heads + 2 * kvHeads) * headDim]);
        const into = p.random([14, 2 * kvHeads * headDim]);
        p.kernels.ropeToCache(
          qkv,
          cos,
          sin,
          angleRow,
          fused(heads, kvHeads, headDim),
          p.integers([4, -1, 0, 9, -3]),
          cacheOffset,
          into,
        );
        p.compare("qkv", qkv, "forward");
        p.compare("into", into, "forward");
      },
    ];
  }
}

/** Values at the edges of f16: ties between neighbours, below 2^-14, beyond 65504. */
const EDGES = [
  1 + 2 ** -11,
  1 + 3 * 2 ** -11,
  -1 - 2 ** -12,
  2 ** -14,
  2 ** -15 + 2 ** -26,
  2 ** -25,
  3 * 2 ** -25,
  -(2 ** -24),
  1e-9,
  0,
  65504,
  65519,
  65520,
  1e6,
  -1e6,
  2048.5,
  -2049.5,
];

/** The decode step's two kernels over an f16 cache. */
export function* f16CacheCases(): Generator<[string, CaseBody]> {
  for (const [heads, kvHeads, headDim, cacheOffset] of [
    [4, 2, 8, 0],
    [4, 2, 8, 5],
    [4, 4, 32, 1],
    [2, 1, 128, 3],
  ] as const) {
    yield [
      `attention over an f16 cache, ${heads} heads over ${kvHeads}, ${headDim} columns, decode step ${cacheOffset}`,
      (p) => {
        const shape = { heads, kvHeads, headDim, qOffset: 4, kOffset: 0, vOffset: kvHeads * headDim + 4, cacheOffset };
        const columns = 2 * kvHeads * headDim + 4;
        const cache = p.f16Cache(p.normal(30 * columns), [30, columns]);
        const visible = p.integers([0, 6, 6, 7, 0, 6, 14, 15, 2, 6, 22, 23, 0, 6, 9, 9, 5, 9, 10, 11], [5, 4]);
        const { out, lse } = p.kernels.attention(p.random([5, heads * headDim + 8]), cache, visible, shape);
        p.compare("out", out, "forward");
        p.compare("lse", lse, "forward");
      },
    ];
  }
  for (const [heads, kvHeads, headDim, cacheOffset, angleRow] of [
    [4, 2, 8, 0, 0],
    [1, 1, 4, 3, 5],
    [4, 4, 32, 1, 10],
  ] as const) {
    yield [
      `ropeToCache into f16 of ${heads} heads over ${kvHeads}, ${headDim} columns, cacheOffset ${cacheOffset}, ` +
        `angles from row ${angleRow}`,
      (p) => {
        const [cos, sin] = angleTables(p, angleRow + 5, headDim);
        const width = (heads + 2 * kvHeads) * headDim;
        const columns = 2 * kvHeads * headDim;
        const isValue = (i: number): boolean => i % columns >= columns / 2;
        const values = p.normal(5 * width);
        const qkv = p.floats(values, [5, width]);
        const into = p.f16Cache(p.normal(14 * columns), [14, columns]);
        p.kernels.ropeToCache(
          qkv,
          cos,
          sin,
          angleRow,
          fused(heads, kvHeads, headDim),
          p.integers([4, -1, 0, 9, -3]),
          cacheOffset,
          into,
        );
        p.compare("qkv", qkv, "forward");
        p.compareF16("keys", into, "f16", (i) => !isValue(i));
        p.compareF16("values, which are only rounded", into, "exact", isValue);
      },
    ];
  }
  yield [
    "ropeToCache rounds to the nearest f16, ties to even, and saturates",
    (p) => {
      const qkv = p.floats(
        Float32Array.from({ length: 5 * 24 }, (_, i) => EDGES[i % EDGES.length]!),
        [5, 24],
      );
      const into = p.f16Cache(new Float32Array(6 * 16), [6, 16]);
      const [cos, sin] = [p.floats(new Float32Array(20).fill(1), [5, 4]), p.floats(new Float32Array(20), [5, 4])];
      p.kernels.ropeToCache(qkv, cos, sin, 0, fused(1, 1, 8), p.integers([0, 1, 2, 3, 4]), 1, into);
      p.compare("into", into, "exact");
    },
  ];
  yield [
    "attention and ropeToCache refuse f16 where heads are not a multiple of 4",
    (p) => {
      const [qkv, angles] = [p.random([2, 18]), p.random([2, 3])];
      const cache = p.f16Cache(new Float32Array(48), [4, 12]);
      p.refuses("ropeToCache", () =>
        p.kernels.ropeToCache(qkv, angles, angles, 0, fused(1, 1, 6), p.integers([0, 1]), 0, cache),
      );
      p.refuses("attention", () =>
        p.kernels.attention(qkv, cache, p.integers([0, 2, 0, 0, 0, 2, 0, 0], [2, 4]), {
          ...fused(1, 1, 6),
          kOffset: 0,
          vOffset: 6,
        }),
      );
    },
  ];
}
