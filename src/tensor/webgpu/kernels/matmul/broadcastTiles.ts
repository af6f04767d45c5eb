/**
 * Matrix product for CPU adapters with subgroups of one size: a workgroup is one subgroup and makes up to two rows per
 * lane × 4 columns per lane of C in registers. Such an adapter (lavapipe, SwiftShader) reads memory lane by lane, with
 * a test and a load each, even when all lanes want the same value; register tiles spend their time on loads, not sums.
 * Here no value is loaded twice in a workgroup: each lane loads its own part of A, and the subgroup broadcasts it with
 * `subgroupBroadcast` from a constant lane, which is one instruction. No workgroup memory, no barriers.
 */
import { lacksOneSubgroup } from "../oneSubgroup";
import { storeTiles } from "./storeTiles";
import type { MatmulCode, MatmulVariant, Orientation } from "./variant";

const COLUMNS = 4;

export const broadcastTiles: MatmulVariant = {
  name: "broadcastTiles",
  lacks: lacksOneSubgroup,
  rounds: () => false,
  plan({ orientation, m }, { subgroupMinSize: lanes }) {
    const rows = orientation === "TN" ? 2 * lanes : rowsFor(m, lanes);
    return {
      key: `broadcasts${orientation}${rows}x${lanes}`,
      threads: lanes,
      rows,
      columns: COLUMNS * lanes,
      scalarStores: true,
      oneSubgroup: true,
      code: (parts) =>
        code(parts, rows, orientation === "TN" ? depthLoop(rows, lanes) : rowLoop(orientation, rows, lanes)),
    };
  },
};

/**
 * The least power of two that holds m rows, at most two per lane: a taller tile would compute rows that do not exist.
 */
const rowsFor = (m: number, lanes: number): number =>
  [1, 2, 4, 8, 16].find((rows) => rows >= Math.min(m, 2 * lanes)) ?? 2 * lanes;

const join = (count: number, text: (i: number) => string, between = "\n    "): string =>
  Array.from({ length: count }, (_, i) => text(i)).join(between);

function code({ loads, store }: MatmulCode, rows: number, loop: string): string {
  return `
${loads}
${store}
fn kernel(group: u32, lane: u32) {
  let m = (group / params.columnTiles) * ${rows}u;
  let n = ((group % params.columnTiles) * THREADS + lane) * ${COLUMNS}u;
  ${join(rows, (r) => `var c${r} = vec4f(0.0);`, " ")}
  ${loop}
  ${storeTiles(rows, (r) => `c${r}`)}
}`;
}

/**
 * x · Wᵀ and dy · W, four k at a time. With as many rows as lanes or more, a lane loads four k of each of its rows;
 * with fewer, the lanes share the rows out for several steps of four k, so that one load serves them all.
 */
function rowLoop(orientation: Exclude<Orientation, "TN">, rows: number, lanes: number): string {
  const perLane = Math.max(1, rows / lanes);
  const steps = Math.max(1, lanes / rows);
  const own = Math.min(rows, lanes);
  const weights =
    orientation === "NT" ? (i: number) => `weight4(n${i}, k)` : (i: number) => `weight4(min(k + ${i}u, last), n)`;
  const sum =
    orientation === "NT"
      ? "vec4f(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3))"
      : "a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3";
  const step = (s: number): string => `{
      let k = k0 + ${4 * s}u;
      ${join(4, (i) => `let b${i} = ${weights(i)};`, " ")}
      ${join(rows, (r) => {
        const a = `subgroupBroadcast(own${Math.floor(r / own)}, ${s * own + (r % own)}u)`;
        return `{ let a = ${a}; c${r} += ${sum}; }`;
      })}
    }`;
  return `
  let last = ${orientation === "NT" ? "params.n" : "params.k"} - 1u;
  let ownRow = lane % ${own}u;
  let ownDepth = 4u * (lane / ${own}u);
  ${join(perLane, (g) => `let m${g} = min(m + ${g * own}u + ownRow, params.m - 1u);`, " ")}
  ${orientation === "NT" ? join(4, (i) => `let n${i} = min(n + ${i}u, last);`, " ") : ""}
  for (var k0 = 0u; k0 < params.k; k0 += ${4 * steps}u) {
    let inside = k0 + ownDepth < params.k;
    ${join(perLane, (g) => `let own${g} = select(vec4f(0.0), a4(m${g}, k0 + ownDepth), inside);`)}
    ${join(steps, (s) => (s === 0 ? step(s) : `if (k0 + ${4 * s}u < params.k) ${step(s)}`))}
  }`;
}

/** dyᵀ · x: a lane loads four rows of C at one k; the lanes hold all rows of as many k as that makes. */
function depthLoop(rows: number, lanes: number): string {
  const quads = rows / 4;
  const depth = lanes / quads;
  return `
  let last = params.k - 1u;
  let ownDepth = lane / ${quads}u;
  let ownRow = m + 4u * (lane % ${quads}u);
  for (var k = 0u; k < params.k; k += ${depth}u) {
    let own = select(vec4f(0.0), a4(min(k + ownDepth, last), ownRow), k + ownDepth <= last);
    ${join(
      depth,
      (i) => `{
      let b = weight4(min(k + ${i}u, last), n);
      ${join(quads, (q) => {
        const sums = ["x", "y", "z", "w"].map((part, r) => `c${4 * q + r} += a.${part} * b;`);
        return `{ let a = subgroupBroadcast(own, ${i * quads + q}u); ${sums.join(" ")} }`;
      })}
    }`,
    )}
  }`;
}
