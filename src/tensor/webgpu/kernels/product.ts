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
import type { Tensor } from "@tensorflow/tfjs-core";
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
  readonly b: { readonly access: WeightAccess; readonly operands: readonly Operand[] };
  readonly c: Operand;
  readonly bias?: Tensor | null;
  readonly residual?: Operand | null;
  /** C += instead of C =. */
  readonly accumulate?: boolean;
}

/** What the two code families share: how operands are read, how results are stored. */
export interface ProductCode {
  readonly orientation: Orientation;
  /** `a4(m, k)`: four k of row m (NT, NN); `a4(k, m)`: four m of row k (TN). `weight4` likewise for B. */
  readonly loads: string;
  /** `store(m, n, value)`: four columns of C from n on, with the bias, residual and bounds. */
  readonly store: string;
}

const PARAMS: Readonly<Record<string, ParamType>> = {
  m: "u32",
  n: "u32",
  k: "u32",
  aColumns: "u32",
  weightColumns: "u32",
  columnTiles: "u32",
};

export function product(dispatcher: Dispatcher, p: Product): void {
  if (p.m === 0 || p.n === 0) return;
  const { software } = dispatcher.traits;
  const shape = software ? registerTileShape(p) : sharedTileShape(p);
  const aColumns = p.orientation === "TN" ? p.m : p.k;
  const alignedA = aColumns % 4 === 0;
  const alignedC = p.n % 4 === 0;
  const options = `${p.bias ? "b" : ""}${p.residual ? "r" : ""}${p.accumulate ? "+" : ""}`;
  const name = `linear ${p.orientation} ${p.b.access.key} ${shape.key} ${alignedA ? "a4" : "a1"} ${alignedC ? "c4" : "c1"} ${options}`;
  const kernel = dispatcher.kernel(name, (): KernelSpec => {
    const code: ProductCode = {
      orientation: p.orientation,
      loads: `${columns4("a4", "a", "params.aColumns", alignedA)}\n${p.b.access.code}`,
      store: storeCode(alignedC, p.bias != null, p.residual != null, p.accumulate === true),
    };
    return {
      buffers: productBuffers(p, alignedA, alignedC),
      params: PARAMS,
      threads: shape.threads,
      code: software ? registerTile(code, shape) : sharedTile(code, shape),
    };
  });
  const operands: Operand[] = [p.a, ...p.b.operands];
  if (p.bias) operands.push(p.bias);
  if (p.residual) operands.push(p.residual);
  operands.push(p.c);
  const weightColumns = p.orientation === "NT" ? p.k : p.n;
  const columnTiles = Math.ceil(p.n / shape.columns);
  const groups = Math.ceil(p.m / shape.rows) * columnTiles;
  dispatcher.run(kernel, operands, [p.m, p.n, p.k, aColumns, weightColumns, columnTiles], groups, 2 * p.m * p.n * p.k);
}

function productBuffers(p: Product, alignedA: boolean, alignedC: boolean): BufferSpec[] {
  const elementC = alignedC ? "vec4f" : "f32";
  const buffers = [read("a", alignedA ? "vec4f" : "f32"), ...p.b.access.buffers];
  if (p.bias) buffers.push(read("bias", elementC));
  if (p.residual) buffers.push(read("residual", elementC));
  buffers.push(write("c", elementC));
  return buffers;
}

function storeCode(aligned: boolean, bias: boolean, residual: boolean, accumulate: boolean): string {
  const sum = (column: string, at: string): string =>
    `${bias ? ` + bias[${column}]` : ""}${residual ? ` + residual[${at}]` : ""}${accumulate ? ` + c[${at}]` : ""}`;
  if (aligned) {
    return `
fn store(m: u32, n: u32, value: vec4f) {
  if (m < params.m && n < params.n) {
    let at = (m * params.n + n) >> 2u;
    c[at] = value${sum("n >> 2u", "at")};
  }
}`;
  }
  return `
fn store(m: u32, n: u32, value: vec4f) {
  if (m >= params.m) { return; }
  for (var i = 0u; i < 4u; i++) {
    let column = n + i;
    if (column < params.n) {
      let at = m * params.n + column;
      c[at] = value[i]${sum("column", "at")};
    }
  }
}`;
}
