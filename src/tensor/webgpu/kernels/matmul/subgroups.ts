/**
 * Matrix product with subgroup operations and no workgroup memory. Two codes:
 *
 *  - few rows of x · Wᵀ (a decoded token): the lanes of a subgroup walk along k side by side, so that they read
 *    neighbouring parts of a row of W, and add up what they have with `subgroupAdd`;
 *  - everything else: a subgroup makes 8 rows × 4 columns a lane; each lane loads a different part of A's rows, and the
 *    subgroup exchanges the parts with `subgroupShuffle`. On CPU adapters 4 rows: a shuffle is long code there, and
 *    eight rows of it take ten seconds to compile.
 *
 * A workgroup may hold subgroups of any size between the adapter's least and most: work is dealt out by the actual
 * size.
 */
import { storeTiles } from "./storeTiles";
import type { MatmulAdapter, MatmulCode, MatmulPlan, MatmulVariant, Orientation } from "./variant";

const THREADS = 64;
/** Rows of x up to which x · Wᵀ is made by dot products. */
export const FEW_ROWS = 16;
const rowsOf = ({ software }: MatmulAdapter): number => (software ? 4 : 8);

export const subgroups: MatmulVariant = {
  name: "subgroups",
  lacks({ features, subgroupIndex, subgroupMaxSize }) {
    if (!features.has("subgroups")) return 'feature "subgroups"';
    if (!subgroupIndex) return "subgroup_id in WGSL (a newer browser has it)";
    return subgroupMaxSize > 0 && subgroupMaxSize <= 128
      ? null
      : `subgroups of 1 to 128 lanes (it says ${subgroupMaxSize})`;
  },
  rounds: () => false,
  plan({ orientation, m }, adapter) {
    return orientation === "NT" && m <= FEW_ROWS ? dotProducts(m, adapter) : shuffledTiles(orientation, adapter);
  },
};

const indices = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);
const join = (count: number, text: (i: number) => string, between = "\n    "): string =>
  indices(count).map(text).join(between);

function dotProducts(m: number, adapter: MatmulAdapter): MatmulPlan {
  const { subgroupMinSize, subgroupMaxSize, software } = adapter;
  const rows = [1, 2, 4].find((few) => m <= few) ?? rowsOf(adapter);
  const threads = Math.max(THREADS, subgroupMaxSize);
  const tiles = Math.max(1, Math.floor(threads / Math.max(1, subgroupMinSize)));
  const sums = join(rows, (r) => `c${r}`, ", ");
  const code = ({ loads, store }: MatmulCode): string => `
${loads}
${store}
fn kernel(group: u32, lane: u32, subgroup: u32, subgroups: u32, subgroupLane: u32, subgroupSize: u32) {
  let m = (group / params.columnTiles) * ${rows}u;
  let last = params.n - 1u;
  ${join(rows, (r) => `let m${r} = min(m + ${r}u, params.m - 1u);`, " ")}
  for (var tile = subgroup; tile < ${tiles}u; tile += subgroups) {
    let n = ((group % params.columnTiles) * ${tiles}u + tile) * 4u;
    let n0 = min(n, last); let n1 = min(n + 1u, last); let n2 = min(n + 2u, last); let n3 = min(n + 3u, last);
    ${join(rows, (r) => `var c${r} = vec4f(0.0);`, " ")}
    for (var k = 4u * subgroupLane; k < params.k; k += 4u * subgroupSize) {
      let b0 = weight4(n0, k);
      let b1 = weight4(n1, k);
      let b2 = weight4(n2, k);
      let b3 = weight4(n3, k);
      ${join(rows, (r) => `{ let a = a4(m${r}, k); c${r} += vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3)); }`)}
    }
    ${join(rows, (r) => `c${r} = subgroupAdd(c${r});`)}
    if (subgroupLane == 0u) {
      var sums = array<vec4f, ${rows}>(${sums});
      ${storeTiles(rows, (r) => `sums[${r}]`)}
    }
  }
}`;
  return {
    key: `dots${rows}x${tiles}`,
    threads,
    rows,
    columns: 4 * tiles,
    scalarStores: software,
    enables: ["subgroups"],
    code,
  };
}

/**
 * Each subgroup takes its rows × (4 · its size); smaller subgroups than the largest share one of its tiles by columns.
 */
function shuffledTiles(orientation: Orientation, adapter: MatmulAdapter): MatmulPlan {
  const { subgroupMaxSize: most, software } = adapter;
  const rows = rowsOf(adapter);
  const threads = Math.max(THREADS, most);
  const bands = threads / most;
  const code = ({ loads, store }: MatmulCode): string => `
${loads}
${store}
fn kernel(group: u32, lane: u32, subgroup: u32, subgroups: u32, subgroupLane: u32, subgroupSize: u32) {
  let parts = ${most}u / subgroupSize;
  let m = ((group / params.columnTiles) * ${bands}u + subgroup / parts) * ${rows}u;
  let n = ((group % params.columnTiles) * ${most}u + (subgroup % parts) * subgroupSize + subgroupLane) * 4u;
  ${join(rows, (r) => `var c${r} = vec4f(0.0);`, " ")}
  ${loop(orientation, rows)}
  ${join(rows / 4, (t) => `storeTile(m + ${4 * t}u, n, array<vec4f, 4>(${join(4, (r) => `c${4 * t + r}`, ", ")}));`)}
}`;
  return {
    key: `shuffles${rows}x${most}${orientation}`,
    threads,
    rows: bands * rows,
    scalarStores: software,
    columns: 4 * most,
    enables: ["subgroups"],
    code,
  };
}

function loop(orientation: Orientation, rows: number): string {
  if (orientation === "TN") return rowsOfDepth(rows);
  const [loads, multiply] =
    orientation === "NT"
      ? [(i: number) => `weight4(n${i}, k)`, () => `vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3))`]
      : [(i: number) => `weight4(min(k + ${i}u, last), n)`, () => `a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3`];
  const last = orientation === "NT" ? "params.n" : "params.k";
  // Each lane loads four k of its own, of every row; the quads past the end are not exchanged.
  return `
  ${join(rows, (r) => `let m${r} = min(m + ${r}u, params.m - 1u);`, " ")}
  let last = ${last} - 1u;
  ${orientation === "NT" ? join(4, (i) => `let n${i} = min(n + ${i}u, last);`, " ") : ""}
  for (var k0 = 0u; k0 < params.k; k0 += 4u * subgroupSize) {
    let own = min(k0 + 4u * subgroupLane, params.k - 1u) & ~3u;
    ${join(rows, (r) => `let own${r} = a4(m${r}, own);`)}
    let quads = min(subgroupSize, (params.k - k0 + 3u) / 4u);
    for (var quad = 0u; quad < quads; quad++) {
      let k = k0 + 4u * quad;
      ${join(4, (i) => `let b${i} = ${loads(i)};`)}
      ${join(rows, (r) => `{ let a = subgroupShuffle(own${r}, quad); c${r} += ${multiply()}; }`)}
    }
  }`;
}

/** dyᵀ · x: each lane loads the rows of C at one k of its own. */
function rowsOfDepth(rows: number): string {
  const quads = rows / 4;
  return `
  for (var k0 = 0u; k0 < params.k; k0 += subgroupSize) {
    let own = min(k0 + subgroupLane, params.k - 1u);
    ${join(quads, (q) => `let own${q} = a4(own, m + ${4 * q}u);`)}
    let steps = min(subgroupSize, params.k - k0);
    for (var step = 0u; step < steps; step++) {
      let b = weight4(k0 + step, n);
      ${join(quads, (q) => `let a${q} = subgroupShuffle(own${q}, step);`)}
      ${join(rows, (r) => `c${r} += a${Math.floor(r / 4)}[${r % 4}u] * b;`)}
    }
  }`;
}
