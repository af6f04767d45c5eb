/**
 * Matrix product for adapters that are a CPU (SwiftShader, lavapipe): each invocation holds a tile of rows ×
 * 4 columns in registers. The rows depend on the workgroup only, so that loads of A are one scalar
 * broadcast to all lanes; neighbouring lanes take neighbouring columns. No workgroup memory, no barriers:
 * on these adapters both cost more than the loads they save.
 */
import type { Product, ProductCode } from "./product";

export interface RegisterTileShape {
  readonly key: string;
  readonly threads: number;
  /** Rows and columns of C that one workgroup makes. */
  readonly rows: number;
  readonly columns: number;
}

/** Four rows: eight run no faster (8 × 4 accumulators spill) and take three times as long to compile. */
export function registerTileShape({ orientation, n }: Product): RegisterTileShape {
  const rows = 4;
  const threads = n <= 64 ? 8 : 32;
  return { key: `registers${rows}x${threads}${orientation}`, threads, rows, columns: 4 * threads };
}

export function registerTile({ orientation, loads, store }: ProductCode, shape: RegisterTileShape): string {
  const rows = Array.from({ length: shape.rows }, (_, row) => row);
  return `
${loads}
${store}
fn kernel(group: u32, lane: u32) {
  let m = (group / params.columnTiles) * ${shape.rows}u;
  let n = (group % params.columnTiles) * ${shape.columns}u + lane * 4u;
  if (n >= params.n) { return; }
  ${rows.map((r) => `var c${r} = vec4f(0.0);`).join(" ")}
  ${orientation === "TN" ? "" : rows.map((r) => `let m${r} = min(m + ${r}u, params.m - 1u);`).join(" ")}
  ${LOOPS[orientation](rows)}
  ${rows.map((r) => `store(m + ${r}u, n, c${r});`).join("\n  ")}
}`;
}

const LOOPS: Readonly<Record<Product["orientation"], (rows: readonly number[]) => string>> = {
  NT: (rows) => `
  let last = params.n - 1u;
  for (var k = 0u; k < params.k; k += 4u) {
    let b0 = weight4(n, k);
    let b1 = weight4(min(n + 1u, last), k);
    let b2 = weight4(min(n + 2u, last), k);
    let b3 = weight4(min(n + 3u, last), k);
    ${rows.map((r) => `{ let a = a4(m${r}, k); c${r} += vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3)); }`).join("\n    ")}
  }`,
  NN: (rows) => `
  let last = params.k - 1u;
  for (var k = 0u; k < params.k; k += 4u) {
    let b0 = weight4(k, n);
    let b1 = weight4(min(k + 1u, last), n);
    let b2 = weight4(min(k + 2u, last), n);
    let b3 = weight4(min(k + 3u, last), n);
    ${rows.map((r) => `{ let a = a4(m${r}, k); c${r} += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3; }`).join("\n    ")}
  }`,
  TN: (rows) => `
  for (var k = 0u; k < params.k; k++) {
    let b = weight4(k, n);
    ${rows.filter((r) => r % 4 === 0).map((r) => `let a${r} = a4(k, m + ${r}u);`).join(" ")}
    ${rows.map((r) => `c${r} += a${r - (r % 4)}[${r % 4}u] * b;`).join("\n    ")}
  }`,
};
