/**
 * Matrix product for adapters that are a CPU (SwiftShader, lavapipe): each invocation holds a tile of rows ×
 * 4 columns in registers. The rows depend on the workgroup only, so that loads of A are one scalar
 * broadcast to all lanes; neighbouring lanes take neighbouring columns. No workgroup memory, no barriers:
 * on these adapters both cost more than the loads they save.
 */
import type { Orientation, ProductCode, ProductVariant } from "./variant";

/**
 * 4 × 4 a lane, 8 lanes: eight rows run no faster (8 × 4 accumulators spill) and take three times as long to
 * compile, which is a second a shader as it is; wider workgroups gain nothing.
 */
const THREADS = 8;
const COLUMNS = 4 * THREADS;
const ROWS = [0, 1, 2, 3] as const;

/** Runs on every adapter and serves every product. */
export const registerTiles: ProductVariant = {
  name: "registerTiles",
  lacks: () => null,
  rounds: () => false,
  plan: ({ orientation }) => ({ key: `registers${orientation}`, threads: THREADS, rows: ROWS.length, columns: COLUMNS, scalarStores: true, code }),
};

function code({ orientation, loads, store }: ProductCode): string {
  return `
${loads}
${store}
fn kernel(group: u32, lane: u32) {
  let m = (group / params.columnTiles) * ${ROWS.length}u;
  let n = (group % params.columnTiles) * ${COLUMNS}u + lane * 4u;
  ${ROWS.map((r) => `var c${r} = vec4f(0.0);`).join(" ")}
  ${LOOPS[orientation]}
  storeTile(m, n, array<vec4f, 4>(c0, c1, c2, c3));
}`;
}

const clampedRows = ROWS.map((r) => `let m${r} = min(m + ${r}u, params.m - 1u);`).join(" ");
const eachRow = (statement: (row: number) => string): string => ROWS.map(statement).join("\n    ");

const LOOPS: Readonly<Record<Orientation, string>> = {
  NT: `
  ${clampedRows}
  let last = params.n - 1u;
  let n0 = min(n, last); let n1 = min(n + 1u, last); let n2 = min(n + 2u, last); let n3 = min(n + 3u, last);
  for (var k = 0u; k < params.k; k += 4u) {
    let b0 = weight4(n0, k);
    let b1 = weight4(n1, k);
    let b2 = weight4(n2, k);
    let b3 = weight4(n3, k);
    ${eachRow((r) => `{ let a = a4(m${r}, k); c${r} += vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3)); }`)}
  }`,
  NN: `
  ${clampedRows}
  let last = params.k - 1u;
  for (var k = 0u; k < params.k; k += 4u) {
    let b0 = weight4(k, n);
    let b1 = weight4(min(k + 1u, last), n);
    let b2 = weight4(min(k + 2u, last), n);
    let b3 = weight4(min(k + 3u, last), n);
    ${eachRow((r) => `{ let a = a4(m${r}, k); c${r} += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3; }`)}
  }`,
  TN: `
  for (var k = 0u; k < params.k; k++) {
    let b = weight4(k, n);
    let a = a4(k, m);
    ${eachRow((r) => `c${r} += a[${r}u] * b;`)}
  }`,
};
