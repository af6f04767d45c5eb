/**
 * Matrix product for GPUs: a workgroup makes a square tile of C, reads slabs of A and B of 16 k into
 * workgroup memory, and each invocation keeps 4 × 4 of the tile in registers.
 */
import type { Product, ProductCode } from "./product";
import type { RegisterTileShape } from "./productRegisters";

const SLAB = 16;

/** Large tiles reuse more, small ones fill the GPU when there is little to do. */
export function sharedTileShape({ orientation, m, n }: Product): RegisterTileShape {
  const tile = Math.ceil(m / 64) * Math.ceil(n / 64) >= 64 ? 64 : 32;
  return { key: `tiles${tile}${orientation}`, threads: (tile / 4) ** 2, rows: tile, columns: tile };
}

export function sharedTile({ orientation, loads, store }: ProductCode, shape: RegisterTileShape): string {
  const tile = shape.rows;
  // One column of padding: a transposed store would otherwise hit one bank.
  const stride = tile + 1;
  const depthMajorA = orientation === "TN";
  const depthMajorB = orientation !== "NT";
  return `
${loads}
${store}
const SLAB = ${SLAB}u;
const TILE = ${tile}u;
const STRIDE = ${stride}u;
var<workgroup> slabA: array<f32, ${SLAB * stride}>;
var<workgroup> slabB: array<f32, ${SLAB * stride}>;
fn kernel(group: u32, lane: u32) {
  let m0 = (group / params.columnTiles) * TILE;
  let n0 = (group % params.columnTiles) * TILE;
  let row = (lane / (TILE / 4u)) * 4u;
  let column = (lane % (TILE / 4u)) * 4u;
  var c0 = vec4f(0.0); var c1 = vec4f(0.0); var c2 = vec4f(0.0); var c3 = vec4f(0.0);
  for (var k0 = 0u; k0 < params.k; k0 += SLAB) {
    ${loadSlab("slabA", "a4", depthMajorA, "m0", "params.m")}
    ${loadSlab("slabB", "weight4", depthMajorB, "n0", "params.n")}
    workgroupBarrier();
    for (var k = 0u; k < SLAB; k++) {
      let a = k * STRIDE + row;
      let b = k * STRIDE + column;
      let right = vec4f(slabB[b], slabB[b + 1u], slabB[b + 2u], slabB[b + 3u]);
      c0 += slabA[a] * right;
      c1 += slabA[a + 1u] * right;
      c2 += slabA[a + 2u] * right;
      c3 += slabA[a + 3u] * right;
    }
    workgroupBarrier();
  }
  storeTile(m0 + row, n0 + column, array<vec4f, 4>(c0, c1, c2, c3));
}`;
}

/**
 * Copies one slab, transposed to [k][tile]. `depthMajor`: the source's rows run over k, so four neighbours
 * are four places of the tile; otherwise four neighbours are four k of one place. Past the end of k: zeros.
 */
function loadSlab(slab: string, load: string, depthMajor: boolean, origin: string, extent: string): string {
  if (depthMajor) {
    return `
    for (var i = lane; i < SLAB * TILE / 4u; i += THREADS) {
      let depth = i / (TILE / 4u);
      let place = (i % (TILE / 4u)) * 4u;
      var v = vec4f(0.0);
      if (k0 + depth < params.k) { v = ${load}(k0 + depth, ${origin} + place); }
      let at = depth * STRIDE + place;
      ${slab}[at] = v.x; ${slab}[at + 1u] = v.y; ${slab}[at + 2u] = v.z; ${slab}[at + 3u] = v.w;
    }`;
  }
  return `
    for (var i = lane; i < SLAB * TILE / 4u; i += THREADS) {
      let place = i / (SLAB / 4u);
      let depth = (i % (SLAB / 4u)) * 4u;
      var v = vec4f(0.0);
      if (k0 + depth < params.k) { v = ${load}(min(${origin} + place, ${extent} - 1u), k0 + depth); }
      let at = depth * STRIDE + place;
      ${slab}[at] = v.x; ${slab}[at + STRIDE] = v.y; ${slab}[at + 2u * STRIDE] = v.z; ${slab}[at + 3u * STRIDE] = v.w;
    }`;
}
