/**
 * Matrix product for GPUs: a workgroup makes a square tile of C, reads slabs of A and B of 16 k into
 * workgroup memory, and each invocation keeps 4 × 4 of the tile in registers.
 */
import { copySlab } from "./slabs";
import type { MatmulCode, MatmulShape, MatmulVariant } from "./variant";

const SLAB = 16;

/** Runs on every adapter and serves every product. */
export const sharedTiles: MatmulVariant = {
  name: "sharedTiles",
  lacks: () => null,
  rounds: () => false,
  plan(shape) {
    const tile = tileOf(shape);
    return {
      key: `tiles${tile}${shape.orientation}`,
      threads: (tile / 4) ** 2,
      rows: tile,
      columns: tile,
      code: (parts) => tiledMatmul(parts, tile, "f32"),
    };
  },
};

/** Large tiles reuse more, small ones fill the GPU when there is little to do. */
export function tileOf({ m, n }: Pick<MatmulShape, "m" | "n">): 32 | 64 {
  return Math.ceil(m / 64) * Math.ceil(n / 64) >= 64 ? 64 : 32;
}

/** @param weights what B is held as in workgroup memory; sums are f32 */
export function tiledMatmul({ orientation, loads, store }: MatmulCode, tile: number, weights: "f32" | "f16"): string {
  // One column of padding: a transposed store would otherwise hit one bank.
  const stride = tile + 1;
  const half = weights === "f16";
  const [slabA, slabB] = [
    copySlab({
      slab: "slabA",
      load: "a4",
      type: "vec4f",
      depthMajor: orientation === "TN",
      origin: "m0",
      extent: "params.m",
      depthStride: stride,
      tileStride: 1,
    }),
    copySlab({
      slab: "slabB",
      load: half ? "weight4h" : "weight4",
      type: half ? "vec4h" : "vec4f",
      depthMajor: orientation !== "NT",
      origin: "n0",
      extent: "params.n",
      depthStride: stride,
      tileStride: 1,
    }),
  ];
  const four = "slabB[b], slabB[b + 1u], slabB[b + 2u], slabB[b + 3u]";
  return `
${loads}
${store}
const SLAB = ${SLAB}u;
const TILE = ${tile}u;
const STRIDE = ${stride}u;
var<workgroup> slabA: array<f32, ${SLAB * stride}>;
var<workgroup> slabB: array<${weights}, ${SLAB * stride}>;
fn kernel(group: u32, lane: u32) {
  let m0 = (group / params.columnTiles) * TILE;
  let n0 = (group % params.columnTiles) * TILE;
  let row = (lane / (TILE / 4u)) * 4u;
  let column = (lane % (TILE / 4u)) * 4u;
  var c0 = vec4f(0.0); var c1 = vec4f(0.0); var c2 = vec4f(0.0); var c3 = vec4f(0.0);
  for (var k0 = 0u; k0 < params.k; k0 += SLAB) {
    ${slabA}
    ${slabB}
    workgroupBarrier();
    for (var k = 0u; k < SLAB; k++) {
      let a = k * STRIDE + row;
      let b = k * STRIDE + column;
      let right = ${half ? `vec4f(vec4h(${four}))` : `vec4f(${four})`};
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
