/** Conformance of attention under every kind of visibility, and over a KV cache. */
import type { AttentionShape } from "../../kernels";
import type { CaseBody } from "./compare";
import type { Probe } from "./probe";

type Ranges = readonly [number, number, number, number];

/** A prompt of 5 rows with responses of 1, 9, 2 and 17 rows, one of 21 with 3 and 8, then rows of padding. */
function twoGroups(): Ranges[] {
  const rows: Ranges[] = [];
  for (const [prompt, ...responses] of [
    [5, 1, 9, 2, 17],
    [21, 3, 8],
  ] as const) {
    const start = rows.length;
    for (let i = 0; i < prompt; i++) rows.push([start, start + i + 1, 0, 0]);
    for (const response of responses) {
      const first = rows.length;
      for (let i = 0; i < response; i++) rows.push([start, start + prompt, first, first + i + 1]);
    }
  }
  return [...rows, ...Array.from({ length: 5 }, (): Ranges => [0, 0, 0, 0])];
}

/** Which rows see which, one entry per query row. */
const VISIBILITY: Readonly<Record<string, readonly Ranges[]>> = {
  "causal 7": Array.from({ length: 7 }, (_, i) => [0, 0, 0, i + 1] as const),
  "causal 70": Array.from({ length: 70 }, (_, i) => [0, 0, 0, i + 1] as const),
  "two sequences packed, bidirectional": Array.from({ length: 11 }, (_, i) =>
    i < 4 ? ([0, 4, 0, 0] as const) : ([4, 11, 0, 0] as const),
  ),
  "windows of 64 and a ragged one": Array.from({ length: 100 }, (_, i) =>
    i < 64 ? ([0, 64, 64, 64] as const) : ([64, 100, 5, 2] as const),
  ),
  // A prompt of 6 rows, then three responses of 3, 1 and 4 rows that see the prompt and themselves.
  "prompt shared by a group": [
    ...Array.from({ length: 6 }, (_, i) => [0, 0, 0, i + 1] as const),
    ...[
      [6, 9],
      [9, 10],
      [10, 14],
    ].flatMap(([from = 0, to = 0]) => Array.from({ length: to - from }, (_, i) => [0, 6, from, from + i + 1] as const)),
  ],
  "two prompts, responses of many lengths": twoGroups(),
  "rows that see nothing": [
    [0, 0, 0, 1],
    [0, 0, 0, 2],
    [0, 0, 0, 0],
    [3, 3, 5, 4],
    [3, 4, 4, 5],
  ],
};

/**
 * [heads, kvHeads, headDim]: single head, grouped queries, odd halves, parts that fill no subgroup, the sizes of the
 * family.
 */
const HEADS = [
  [1, 1, 6],
  [4, 4, 16],
  [6, 2, 10],
  [4, 2, 20],
  [4, 1, 32],
  [2, 1, 36],
  [2, 1, 80],
  [4, 2, 128],
] as const;

/** Shape of a fused qkv laid out q|k|v. */
export function fused(heads: number, kvHeads: number, headDim: number): AttentionShape {
  return { heads, kvHeads, headDim, qOffset: 0, kOffset: heads * headDim, vOffset: (heads + kvHeads) * headDim };
}

const contains = ([a, b, c, d]: Ranges, key: number): boolean => (key >= a && key < b) || (key >= c && key < d);

/** For each key row the query rows that see it, which must be contiguous. */
function seenBy(visible: readonly Ranges[]): number[] {
  return visible.flatMap((_, key) => {
    const queries = visible.flatMap((ranges, query) => (contains(ranges, key) ? [query] : []));
    const [first = 0, last = -1] = [queries[0], queries.at(-1)];
    if (queries.length !== last - first + 1) throw new Error(`Key row ${key} is seen by rows that are not contiguous.`);
    return [first, last + 1];
  });
}

function selfAttention(p: Probe, visible: readonly Ranges[], shape: AttentionShape, gradient: boolean): void {
  const rows = visible.length;
  const width = (shape.heads + 2 * shape.kvHeads) * shape.headDim;
  const qkv = p.random([rows, width]);
  const ranges = p.integers(visible.flat(), [rows, 4]);
  const { out, lse } = p.kernels.attention(qkv, qkv, ranges, shape);
  const sees = (query: number): boolean => visible.some((_, key) => contains(visible[query]!, key));
  p.compare("out", out, "forward");
  p.compare("lse of rows that see something", lse, "forward", (i) => sees(Math.floor(i / shape.heads)));
  if (!gradient) return;
  p.compare(
    "dQkv",
    p.kernels.attentionGrad(
      qkv,
      ranges,
      p.integers(seenBy(visible), [rows, 2]),
      out,
      lse,
      p.random([rows, shape.heads * shape.headDim]),
      shape,
    ),
    "gradient",
  );
}

function* selfAttentionCases(): Generator<[string, CaseBody]> {
  for (const [name, visible] of Object.entries(VISIBILITY)) {
    yield [
      `attention and its gradient, ${name}, 4 heads over 2, 8 columns`,
      (p) => selfAttention(p, visible, fused(4, 2, 8), true),
    ];
  }
  for (const [heads, kvHeads, headDim] of HEADS) {
    yield [
      `attention and its gradient, two prompts, ${heads} heads over ${kvHeads}, ${headDim} columns`,
      (p) =>
        selfAttention(p, VISIBILITY["two prompts, responses of many lengths"]!, fused(heads, kvHeads, headDim), true),
    ];
  }
  yield [
    "attention with scores of ±1000 stays finite",
    (p) => {
      const visible = VISIBILITY["causal 7"]!;
      const qkv = p.random([7, 24], 60);
      p.compare(
        "out",
        p.kernels.attention(qkv, qkv, p.integers(visible.flat(), [7, 4]), fused(1, 1, 8)).out,
        "forward",
      );
    },
  ];
}

/**
 * Slots of a rollout: prompts of 9, 1 and 13 rows in no order, 0 to 6 rows of their own, and every fifth slot empty.
 */
const SLOTS = Array.from({ length: 19 }, (_, slot): Ranges => {
  const [start, end] = (
    [
      [0, 9],
      [9, 10],
      [10, 23],
    ] as const
  )[(slot * slot) % 3]!;
  return slot % 5 === 3 ? [0, 0, 0, 0] : [start, end, 30 + 9 * slot, 31 + 9 * slot + (slot % 7)];
});

function* cachedAttentionCases(): Generator<[string, CaseBody]> {
  for (const cacheOffset of [0, 1, 5]) {
    yield [
      `attention over a cache, decode step ${cacheOffset}`,
      (p) => {
        // Three rows of a decode step; cache: prompt of 6 rows, then 8 rows for each response.
        const [heads, kvHeads, headDim] = [4, 2, 8];
        const shape = { heads, kvHeads, headDim, qOffset: 3, kOffset: 0, vOffset: kvHeads * headDim + 2, cacheOffset };
        const q = p.random([4, 3 + heads * headDim + 5]);
        const cache = p.random([30, 2 * kvHeads * headDim + 2]);
        const visible = p.integers([0, 6, 6, 7, 0, 6, 14, 15, 2, 6, 22, 23, 0, 6, 9, 9], [4, 4]);
        const { out, lse } = p.kernels.attention(q, cache, visible, shape);
        p.compare("out", out, "forward");
        p.compare("lse", lse, "forward");
      },
    ];
  }
  for (const [heads, kvHeads, headDim] of [
    [4, 2, 8],
    [2, 1, 20],
  ] as const) {
    for (const kept of ["f32", "f16"] as const) {
      yield [
        `attention of 19 slots over three prompts in ${kept}, ${heads} heads over ${kvHeads}, ${headDim} columns`,
        (p) => {
          const shape = { heads, kvHeads, headDim, qOffset: 0, kOffset: 0, vOffset: kvHeads * headDim, cacheOffset: 2 };
          const columns = 2 * kvHeads * headDim;
          const values = p.normal(200 * columns);
          const cache = kept === "f32" ? p.floats(values, [200, columns]) : p.f16Cache(values, [200, columns]);
          const { out, lse } = p.kernels.attention(
            p.random([19, (heads + 2 * kvHeads) * headDim]),
            cache,
            p.integers(SLOTS.flat(), [19, 4]),
            shape,
          );
          const seesSomething = (i: number): boolean => i % 5 !== 3;
          p.compare("out", out, "forward");
          p.compare("lse of rows that see something", lse, "forward", (i) => seesSomething(Math.floor(i / heads)));
        },
      ];
    }
  }
  yield [
    "attention refuses mismatched shapes",
    (p) => {
      const qkv = p.random([3, 24]);
      p.refuses("attention", () =>
        p.kernels.attention(qkv, qkv, p.integers(new Int32Array(8), [2, 4]), fused(1, 1, 8)),
      );
      p.refuses("attention", () =>
        p.kernels.attention(qkv, qkv, p.integers(new Int32Array(12), [3, 4]), fused(2, 1, 8)),
      );
    },
  ];
}

export function* attentionCases(): Generator<[string, CaseBody]> {
  yield* selfAttentionCases();
  yield* cachedAttentionCases();
}
