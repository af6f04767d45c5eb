/**
 * Matrix product on a GPU's matrix units (fragments.ts): a workgroup of four subgroups makes 64 × 64 or 32 × 32 of C,
 * each subgroup a quarter in fragments. Slabs of A and B are read into workgroup memory as shared tiles do, so that
 * every orientation, weight format and ragged edge goes the same way; the result passes through workgroup memory to get
 * its bias, residual and bounds.
 *
 * Units with f32 operands serve every product. Units with f16 operands serve x · Wᵀ only, and round both: x is divided
 * by ACTIVATION_SCALE before and the sum multiplied by it after, which is exact but for the range, now ± 1e6 with steps
 * of 1e-6 near zero; what lies beyond saturates. Gradients span more than that: dy · W and dyᵀ · x are left to other
 * variants.
 */
import type { FragmentShape, FragmentSupport } from "./fragments";
import { tileOf } from "./sharedTiles";
import { copySlab } from "./slabs";
import type { MatmulAdapter, MatmulCode, MatmulShape, MatmulVariant } from "./variant";

/** Subgroups of a workgroup: two by two. */
const SIDE = 2;
/** The quarter of the smaller tile, which fragments must divide. */
const SMALLEST_PART = 16;
const SLAB = 32;
/** Elements between the rows of a slab beyond its width: keeps rows 16-byte aligned and apart in the banks. */
const PADDING = 8;
const ACTIVATION_SCALE = 16;
const LARGEST_F16 = 65504;

export const subgroupMatrix: MatmulVariant = {
  name: "subgroupMatrix",
  lacks(adapter) {
    const { features, fragments, subgroupIndex, subgroupMinSize, subgroupMaxSize, workgroupBytes } = adapter;
    if (!features.has("chromium-experimental-subgroup-matrix") && fragments === null)
      return 'feature "chromium-experimental-subgroup-matrix" (Chromium: --enable-unsafe-webgpu)';
    if (fragments === null) return "spelling of subgroup matrices that this code knows";
    if (!subgroupIndex) return "subgroup_id in WGSL (a newer browser has it)";
    if (subgroupMinSize !== subgroupMaxSize)
      return `one size of subgroups (it says ${subgroupMinSize} to ${subgroupMaxSize})`;
    const shapes = (["f32", "f16"] as const).flatMap((component) => shapeOf(fragments, component) ?? []);
    if (shapes.every(({ component }) => component === "f16" && !features.has("shader-f16")))
      return "configuration of f32 or f16 operands with f32 sums whose size divides 16 × 16 × 32";
    const bytes = Math.max(...shapes.map(workgroupMemory));
    return bytes <= workgroupBytes ? null : `${bytes} bytes of workgroup memory (it has ${workgroupBytes})`;
  },
  rounds: (shape, adapter) => fragmentsFor(shape, adapter)?.component === "f16",
  plan(shape, adapter) {
    const fragment = fragmentsFor(shape, adapter);
    const { fragments } = adapter;
    if (fragment === null || fragments === null || (fragment.component === "f16" && shape.orientation !== "NT"))
      return null;
    const { component, M, N, K } = fragment;
    const tile = tileOf(shape);
    return {
      key: `matrices${tile} ${component} ${M}x${N}x${K} ${fragments.dialect.name} ${shape.orientation}`,
      threads: SIDE * SIDE * adapter.subgroupMaxSize,
      rows: tile,
      columns: tile,
      scalarStores: adapter.software,
      enables: [...(component === "f16" ? ["f16" as const] : []), ...fragments.dialect.enables],
      f16Weights: component === "f16",
      code: (parts) => code(parts, tile, fragment, fragments, adapter.software),
    };
  },
};

/**
 * Packed weights are already rounded and take the faster f16 units; f32 weights keep f32 where there are such units.
 */
function fragmentsFor(
  { format }: Pick<MatmulShape, "format">,
  { fragments, features }: MatmulAdapter,
): FragmentShape | null {
  if (fragments === null) return null;
  const f32 = shapeOf(fragments, "f32");
  const f16 = features.has("shader-f16") ? shapeOf(fragments, "f16") : null;
  return format === "f32" ? (f32 ?? f16) : (f16 ?? f32);
}

function shapeOf({ configs }: FragmentSupport, component: "f32" | "f16"): FragmentShape | null {
  const fits = configs.find(
    (c) =>
      c.componentType === component &&
      c.resultComponentType === "f32" &&
      SMALLEST_PART % c.M === 0 &&
      SMALLEST_PART % c.N === 0 &&
      SLAB % c.K === 0,
  );
  return fits === undefined ? null : { component, M: fits.M, N: fits.N, K: fits.K };
}

/**
 * Elements between neighbouring rows of a slab, stored with k along its rows (`byIndex`) or across them (`byDepth`);
 * elements of a slab.
 */
function slabSizes(tile: number): { readonly byIndex: number; readonly byDepth: number; readonly elements: number } {
  const [byIndex, byDepth] = [SLAB + PADDING, tile + PADDING];
  return { byIndex, byDepth, elements: Math.max(tile * byIndex, SLAB * byDepth) };
}

function workgroupMemory({ component }: FragmentShape): number {
  const tile = 64;
  return 2 * slabSizes(tile).elements * (component === "f16" ? 2 : 4) + (4 * tile * tile) / SIDE;
}

function code(
  { orientation, loads, store }: MatmulCode,
  tile: number,
  { component, M, N, K }: FragmentShape,
  { dialect }: FragmentSupport,
  software: boolean,
): string {
  // Emulated units: their code is long, and unrolled it takes a CPU adapter tens of seconds to compile.
  const [lanes, bands] = software ? ["subgroups * subgroupSize", "min(subgroups, 2u)"] : ["THREADS", `${SIDE}u`];
  const part = tile / SIDE;
  const { byIndex, byDepth, elements } = slabSizes(tile);
  const half = component === "f16";
  const depthMajorA = orientation === "TN";
  const depthMajorB = orientation !== "NT";
  const strides = (depthMajor: boolean): { readonly depthStride: number; readonly tileStride: number } =>
    depthMajor ? { depthStride: byDepth, tileStride: 1 } : { depthStride: 1, tileStride: byIndex };
  const slabA = copySlab({
    slab: "slabA",
    load: "a4",
    type: "vec4f",
    depthMajor: depthMajorA,
    origin: "m0",
    extent: "params.m",
    lanes,
    ...strides(depthMajorA),
    ...(half
      ? {
          convert: (four) =>
            `vec4h(clamp(${four} * ${1 / ACTIVATION_SCALE}, vec4f(${-LARGEST_F16}.0), vec4f(${LARGEST_F16}.0)))`,
        }
      : {}),
  });
  const slabB = copySlab({
    slab: "slabB",
    load: half ? "weight4h" : "weight4",
    type: half ? "vec4h" : "vec4f",
    depthMajor: depthMajorB,
    origin: "n0",
    extent: "params.n",
    lanes,
    ...strides(depthMajorB),
  });
  const fragments = Array.from({ length: part / M }, (_, i) => i).flatMap((i) =>
    Array.from({ length: part / N }, (_, j) => ({ i, j, sum: `sum${i}_${j}` })),
  );
  const each = (text: (fragment: { readonly i: number; readonly j: number; readonly sum: string }) => string): string =>
    fragments.map(text).join("\n      ");
  // Offsets of a fragment: [row of C, k] in A, [k, column of C] in B.
  const left = (i: number): string =>
    dialect.load(
      "Left",
      "slabA",
      depthMajorA ? `k * ${byDepth}u + row + ${i * M}u` : `(row + ${i * M}u) * ${byIndex}u + k`,
      depthMajorA ? "col" : "row",
      depthMajorA ? byDepth : byIndex,
    );
  const right = (j: number): string =>
    dialect.load(
      "Right",
      "slabB",
      depthMajorB ? `k * ${byDepth}u + column + ${j * N}u` : `(column + ${j * N}u) * ${byIndex}u + k`,
      depthMajorB ? "row" : "col",
      depthMajorB ? byDepth : byIndex,
    );
  return `
${loads}
${store}
${dialect.types({ component, M, N, K })}
const SLAB = ${SLAB}u;
const TILE = ${tile}u;
var<workgroup> slabA: array<${component}, ${elements}>;
var<workgroup> slabB: array<${component}, ${elements}>;
var<workgroup> sums: array<f32, ${tile * part}>;
fn kernel(group: u32, lane: u32, subgroup: u32, subgroups: u32, subgroupLane: u32, subgroupSize: u32) {
  let m0 = (group / params.columnTiles) * TILE;
  let n0 = (group % params.columnTiles) * TILE;
  let row = (subgroup / ${SIDE}u) * ${part}u;
  let column = (subgroup % ${SIDE}u) * ${part}u;
  ${fragments.map(({ sum }) => `var ${sum} = Sum();`).join(" ")}
  for (var k0 = 0u; k0 < params.k; k0 += SLAB) {
    ${slabA}
    ${slabB}
    workgroupBarrier();
    for (var k = 0u; k < SLAB; k += ${K}u) {
      ${Array.from({ length: part / M }, (_, i) => `let left${i} = ${left(i)};`).join("\n      ")}
      ${Array.from({ length: part / N }, (_, j) => `let right${j} = ${right(j)};`).join("\n      ")}
      ${each(({ i, j, sum }) => `${sum} = ${dialect.multiplyAdd(`left${i}`, `right${j}`, sum)};`)}
    }
    workgroupBarrier();
  }
  // Half the rows at a time: workgroup memory is short.
  for (var band = 0u; band < ${bands}; band++) {
    if (row == band * ${part}u) {
      ${each(({ i, j, sum }) => dialect.store("sums", `${i * M * tile}u + column + ${j * N}u`, sum, tile))}
    }
    workgroupBarrier();
    for (var tile = lane; tile < ${(tile * part) / 16}u; tile += ${lanes}) {
      let r = (tile / ${tile / 4}u) * 4u;
      let c = (tile % ${tile / 4}u) * 4u;
      var four = array<vec4f, 4>();
      for (var i = 0u; i < 4u; i++) {
        let at = (r + i) * TILE + c;
        four[i] = vec4f(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u])${half ? ` * ${ACTIVATION_SCALE}.0` : ""};
      }
      storeTile(m0 + band * ${part}u + r, n0 + c, four);
    }
    workgroupBarrier();
  }
}`;
}
