/**
 * Matrix products C[m, n] = Σ_k A·B in the three orientations of a linear layer:
 *
 *   NT  y  = x · Wᵀ    A [m, k], B [n, k]
 *   NN  dx = dy · W    A [m, k], B [k, n]
 *   TN  dW = dyᵀ · x   A [k, m], B [k, n]
 *
 * with an optional bias [n], residual [m, n] and accumulation into C. The loops are those of a variant (matmul/),
 * chosen by adapter and kind of product. In each variant sums run over k in an order that depends on nothing but the
 * code, so results do not depend on scheduling; another variant's may differ in the last bits.
 */
import { type Dispatcher, type KernelSpec, type Operand, type ParamType, read, write } from "../dispatch";
import type { Matmul, MatmulCode, MatmulPlan, Orientation } from "./matmul/variant";
import { columns4, type WeightAccess } from "./weightAccess";

export type { Matmul } from "./matmul/variant";

const PARAMS: Readonly<Record<string, ParamType>> = {
  m: "u32",
  n: "u32",
  k: "u32",
  aColumns: "u32",
  aFirst: "u32",
  cColumns: "u32",
  weightColumns: "u32",
  columnTiles: "u32",
  hasBias: "u32",
  hasResidual: "u32",
  accumulate: "u32",
};

export function matmul(dispatcher: Dispatcher, p: Matmul): void {
  if (p.m === 0 || p.n === 0) return;
  const plan = dispatcher.traits.matmul.planFor({
    orientation: p.orientation,
    m: p.m,
    n: p.n,
    k: p.k,
    format: p.b.access.format,
  });
  runMatmul(dispatcher, p, plan);
}

/** The product as this plan makes it; for measuring plans against each other. */
export function runMatmul(dispatcher: Dispatcher, p: Matmul, plan: MatmulPlan): void {
  const aColumns = p.aPart?.columns ?? (p.orientation === "TN" ? p.m : p.k);
  const cColumns = p.cColumns ?? p.n;
  const alignedA = aColumns % 4 === 0;
  const alignedC = p.n % 4 === 0 && cColumns % 4 === 0 && plan.scalarStores !== true;
  const name =
    `linear ${p.orientation} ${p.b.access.key} ${plan.key} ` + `${alignedA ? "a4" : "a1"} ${alignedC ? "c4" : "c1"}`;
  const kernel = dispatcher.kernel(name, () => matmulSpec(p.orientation, p.b.access, plan, alignedA, alignedC));
  // An absent operand's binding is taken by A: flags cost less than a pipeline for every combination.
  const operands: Operand[] = [p.a, ...p.b.operands, p.bias ?? p.a, p.residual ?? p.a, p.c];
  const flags = [p.bias ? 1 : 0, p.residual ? 1 : 0, p.accumulate ? 1 : 0];
  const weightColumns = p.orientation === "NT" ? p.k : p.n;
  const columnTiles = Math.ceil(p.n / plan.columns);
  const groups = Math.ceil(p.m / plan.rows) * columnTiles;
  dispatcher.run(
    kernel,
    operands,
    [p.m, p.n, p.k, aColumns, p.aPart?.first ?? 0, cColumns, weightColumns, columnTiles, ...flags],
    groups,
    2 * p.m * p.n * p.k,
  );
}

/** The kernel of a plan. @param alignedA whether A's rows, and C's, hold a multiple of 4 values */
export function matmulSpec(
  orientation: Orientation,
  b: WeightAccess,
  plan: MatmulPlan,
  alignedA: boolean,
  alignedC: boolean,
): KernelSpec {
  const weight = plan.halfWeights === true ? b.half : b;
  const elementC = alignedC ? "vec4f" : "f32";
  const code: MatmulCode = {
    orientation,
    loads: `
${columns4("wholeA4", "a", "params.aColumns", alignedA)}
fn a4(row: u32, column: u32) -> vec4f { return wholeA4(row, params.aFirst + column); }
${weight.code}`,
    store: storeCode(alignedC),
  };
  return {
    ...(plan.enables ? { enables: plan.enables } : {}),
    buffers: [
      read("a", alignedA ? "vec4f" : "f32"),
      ...weight.buffers,
      read("bias", elementC),
      read("residual", elementC),
      write("c", elementC),
    ],
    params: PARAMS,
    threads: plan.threads,
    oneSubgroup: plan.oneSubgroup === true,
    code: plan.code(code),
  };
}

function storeCode(aligned: boolean): string {
  const unit = aligned ? "vec4f" : "f32";
  return `
fn finish(at: u32, column: u32, value: ${unit}) {
  var sum = value;
  if (params.hasBias == 1u) { sum += bias[column]; }
  if (params.hasResidual == 1u) { sum += residual[at]; }
  if (params.accumulate == 1u) { sum += c[at]; }
  c[at] = sum;
}
fn storeTile(m: u32, n: u32, tile: array<vec4f, 4>) {
  var rows = tile;
  for (var r = 0u; m + r < min(m + 4u, params.m); r++) {
    let at = (m + r) * params.cColumns + n;
    ${
      aligned
        ? "if (n < params.n) { finish(at >> 2u, n >> 2u, rows[r]); }"
        : "for (var i = 0u; n + i < min(n + 4u, params.n); i++) { finish(at + i, n + i, rows[r][i]); }"
    }
  }
}`;
}
