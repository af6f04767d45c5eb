/**
 * Matrix product for CPU adapters (SwiftShader, lavapipe) without subgroups of one size; those with them do better with
 * broadcastTiles.ts. Each invocation holds a tile of rows × 4 or 8 columns in registers. The rows depend on the
 * workgroup only, so all lanes want the same values of A; neighbouring lanes take neighbouring columns. No workgroup
 * memory, no barriers: on these adapters both cost more than the loads they save.
 */
import type { MatmulCode, MatmulVariant } from "./variant";

/**
 * 4 × 4 per lane, 8 lanes: eight rows run no faster (8 × 4 accumulators spill) and take three times as long to compile,
 * which is a second per shader as it is; wider workgroups gain nothing. 4 × 8 per lane saves a quarter of the time of
 * dyᵀ·x, up to a tenth of x·Wᵀ, and nothing of dy·W; for few rows it would leave processors idle. In every shape a sum
 * runs over k alone, so the bits are the same.
 */
const THREADS = 8;
const ROWS = [0, 1, 2, 3] as const;
/** Rows of x from which x·Wᵀ is made in wide tiles. */
const WIDE_FROM = 32;

/** Runs on every adapter and serves every product. */
export const registerTiles: MatmulVariant = {
  name: "registerTiles",
  lacks: () => null,
  rounds: () => false,
  plan: ({ orientation, m }) => {
    const loop = orientation === "NT" && m >= WIDE_FROM ? "NTWide" : orientation;
    const { columns, wgsl } = LOOPS[loop];
    return {
      key: `registers${loop}`,
      threads: THREADS,
      rows: ROWS.length,
      columns: columns * THREADS,
      scalarStores: true,
      code: (parts) => code(parts, columns, wgsl),
    };
  },
};

function code({ loads, store }: MatmulCode, columns: number, loop: string): string {
  const wide = columns === 8;
  return `
${loads}
${store}
fn kernel(group: u32, lane: u32) {
  let m = (group / params.columnTiles) * ${ROWS.length}u;
  let n = (group % params.columnTiles) * ${columns * THREADS}u + lane * ${columns}u;
  ${ROWS.map((r) => `var c${r} = vec4f(0.0);${wide ? ` var d${r} = vec4f(0.0);` : ""}`).join(" ")}
  ${loop}
  storeTile(m, n, array<vec4f, 4>(c0, c1, c2, c3));
  ${wide ? "storeTile(m, n + 4u, array<vec4f, 4>(d0, d1, d2, d3));" : ""}
}`;
}

const clampedRows = ROWS.map((r) => `let m${r} = min(m + ${r}u, params.m - 1u);`).join(" ");
const eachRow = (statement: (row: number) => string): string => ROWS.map(statement).join("\n    ");

/** `name0` … `name3`: row indices of B for columns n + first … of C, held within it. */
const clampedColumns = (name: string, first: number): string =>
  [0, 1, 2, 3].map((i) => `let ${name}${i} = min(n + ${first + i}u, params.n - 1u);`).join(" ");
const dots = (b: string): string => `vec4f(dot(a, ${b}0), dot(a, ${b}1), dot(a, ${b}2), dot(a, ${b}3))`;
const fourWeights = (b: string, n: string): string =>
  [0, 1, 2, 3].map((i) => `let ${b}${i} = weight4(${n}${i}, k);`).join(" ");

/** `columns` per lane. */
const LOOPS: Readonly<Record<"NT" | "NTWide" | "NN" | "TN", { readonly columns: 4 | 8; readonly wgsl: string }>> = {
  NT: {
    columns: 4,
    wgsl: `
  ${clampedRows} ${clampedColumns("n", 0)}
  for (var k = 0u; k < params.k; k += 4u) {
    ${fourWeights("b", "n")}
    ${eachRow((r) => `{ let a = a4(m${r}, k); c${r} += ${dots("b")}; }`)}
  }`,
  },
  NN: {
    columns: 4,
    wgsl: `
  ${clampedRows}
  let last = params.k - 1u;
  for (var k = 0u; k < params.k; k += 4u) {
    let b0 = weight4(k, n);
    let b1 = weight4(min(k + 1u, last), n);
    let b2 = weight4(min(k + 2u, last), n);
    let b3 = weight4(min(k + 3u, last), n);
    ${eachRow((r) => `{ let a = a4(m${r}, k); c${r} += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3; }`)}
  }`,
  },
  NTWide: {
    columns: 8,
    wgsl: `
  ${clampedRows} ${clampedColumns("n", 0)} ${clampedColumns("o", 4)}
  for (var k = 0u; k < params.k; k += 4u) {
    ${fourWeights("b", "n")} ${fourWeights("e", "o")}
    ${eachRow((r) => `{ let a = a4(m${r}, k); c${r} += ${dots("b")}; d${r} += ${dots("e")}; }`)}
  }`,
  },
  TN: {
    columns: 8,
    wgsl: `
  for (var k = 0u; k < params.k; k++) {
    let b = weight4(k, n);
    let e = weight4(k, n + 4u);
    let a = a4(k, m);
    ${eachRow((r) => `c${r} += a[${r}u] * b; d${r} += a[${r}u] * e;`)}
  }`,
  },
};
