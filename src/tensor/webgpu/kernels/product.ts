/**
 * Matrix products C[m, n] = Σ_k A·B in the three orientations of a linear layer:
 *
 *   NT  y  = x · Wᵀ    A [m, k], B [n, k]
 *   NN  dx = dy · W    A [m, k], B [k, n]
 *   TN  dW = dyᵀ · x   A [k, m], B [k, n]
 *
 * with an optional bias [n], residual [m, n] and accumulation into C. Two families of code: registers only
 * for CPU adapters (productRegisters.ts), workgroup-memory tiles for GPUs (productTiles.ts). Sums run over
 * k in order, so results do not depend on scheduling.
 */
import { read, write, type BufferSpec, type Dispatcher, type KernelSpec, type Operand, type ParamType } from "../dispatch";
import { registerTile, registerTileShape } from "./productRegisters";
import { sharedTile, sharedTileShape } from "./productTiles";
import { columns4, type WeightAccess } from "./weightAccess";

export type Orientation = "NT" | "NN" | "TN";

export interface Product {
  readonly orientation: Orientation;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Operand;
  /** Where A is wider than the product: its row length, and the first column that is meant (a multiple of 64). */
  readonly aPart?: { readonly columns: number; readonly first: number };
  readonly b: { readonly access: WeightAccess; readonly operands: readonly Operand[] };
  readonly c: Operand;
  /** Row length of C (and of the residual), where it is wider than the product; C and the residual then begin at its first column. */
  readonly cColumns?: number;
  readonly bias?: Operand | null;
  readonly residual?: Operand | null;
  /** C += instead of C =. */
  readonly accumulate?: boolean;
}

/** What the two code families share: how operands are read, how results are stored. */
export interface ProductCode {
  readonly orientation: Orientation;
  /** `a4(m, k)`: four k of row m (NT, NN); `a4(k, m)`: four m of row k (TN). `weight4` likewise for B. */
  readonly loads: string;
  /** `storeTile(m, n, tile)`: 4 × 4 of C from (m, n) on, with the bias, residual and bounds. */
  readonly store: string;
}

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

export function product(dispatcher: Dispatcher, p: Product): void {
  if (p.m === 0 || p.n === 0) return;
  const { software } = dispatcher.traits;
  const shape = software ? registerTileShape(p) : sharedTileShape(p);
  const aColumns = p.aPart?.columns ?? (p.orientation === "TN" ? p.m : p.k);
  const cColumns = p.cColumns ?? p.n;
  const alignedA = aColumns % 4 === 0;
  // CPU adapters store one value at a time in a loop: unrolled stores are most of a shader's compile time there.
  const alignedC = p.n % 4 === 0 && cColumns % 4 === 0 && !software;
  const name = `linear ${p.orientation} ${p.b.access.key} ${shape.key} ${alignedA ? "a4" : "a1"} ${alignedC ? "c4" : "c1"}`;
  const kernel = dispatcher.kernel(name, (): KernelSpec => {
    const code: ProductCode = {
      orientation: p.orientation,
      loads: `
${columns4("wholeA4", "a", "params.aColumns", alignedA)}
fn a4(row: u32, column: u32) -> vec4f { return wholeA4(row, params.aFirst + column); }
${p.b.access.code}`,
      store: storeCode(alignedC),
    };
    return {
      buffers: productBuffers(p, alignedA, alignedC),
      params: PARAMS,
      threads: shape.threads,
      code: software ? registerTile(code, shape) : sharedTile(code, shape),
    };
  });
  // An absent operand's binding is taken by A: flags cost less than a pipeline for every combination.
  const operands: Operand[] = [p.a, ...p.b.operands, p.bias ?? p.a, p.residual ?? p.a, p.c];
  const flags = [p.bias ? 1 : 0, p.residual ? 1 : 0, p.accumulate ? 1 : 0];
  const weightColumns = p.orientation === "NT" ? p.k : p.n;
  const columnTiles = Math.ceil(p.n / shape.columns);
  const groups = Math.ceil(p.m / shape.rows) * columnTiles;
  dispatcher.run(kernel, operands, [p.m, p.n, p.k, aColumns, p.aPart?.first ?? 0, cColumns, weightColumns, columnTiles, ...flags], groups, 2 * p.m * p.n * p.k);
}

function productBuffers(p: Product, alignedA: boolean, alignedC: boolean): BufferSpec[] {
  const elementC = alignedC ? "vec4f" : "f32";
  return [read("a", alignedA ? "vec4f" : "f32"), ...p.b.access.buffers, read("bias", elementC), read("residual", elementC), write("c", elementC)];
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
    ${aligned ? "if (n < params.n) { finish(at >> 2u, n >> 2u, rows[r]); }" : "for (var i = 0u; n + i < min(n + 4u, params.n); i++) { finish(at + i, n + i, rows[r][i]); }"}
  }
}`;
}
