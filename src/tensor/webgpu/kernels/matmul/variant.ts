/**
 * A variant of the matrix product is code for the same C[m, n] = Σ_k A·B that suits some adapters and shapes, and says
 * what it needs. Variants share how operands are read and results stored (matmul.ts); each variant is only its loops.
 */
import type { Enable, Operand } from "../../kernelSpec";
import type { WeightAccess } from "../weightAccess";
import type { FragmentSupport } from "./fragments";

export const MATMUL_VARIANTS = [
  "registerTiles",
  "broadcastTiles",
  "sharedTiles",
  "subgroups",
  "f16",
  "subgroupMatrix",
] as const;
export type MatmulVariantName = (typeof MATMUL_VARIANTS)[number];

export type Orientation = "NT" | "NN" | "TN";

/** One matrix product as requested (orientations: matmul.ts). */
export interface Matmul {
  readonly orientation: Orientation;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Operand;
  /** Where A is wider than the product: its row length, and the first column that is meant (a multiple of 64). */
  readonly aPart?: { readonly columns: number; readonly first: number };
  readonly b: { readonly access: WeightAccess; readonly operands: readonly Operand[] };
  readonly c: Operand;
  /**
   * Row length of C (and of the residual), where it is wider than the product; C and the residual then begin at its
   * first column.
   */
  readonly cColumns?: number;
  readonly bias?: Operand | null;
  readonly residual?: Operand | null;
  /** C += instead of C =. */
  readonly accumulate?: boolean;
}

/**
 * What a variant is given to choose its loops by: no operands, so that the same holds for a tuner's and a layer's
 * product.
 */
export type MatmulShape = Pick<Matmul, "orientation" | "m" | "n" | "k"> & { readonly format: WeightAccess["format"] };

/** What an adapter offers to matmuls. */
export interface MatmulAdapter {
  /** SwiftShader, lavapipe, WARP. */
  readonly software: boolean;
  /** Features of the opened device. */
  readonly features: ReadonlySet<string>;
  /** Lanes of a subgroup, least and most; 0 where there are no subgroups. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** WGSL knows `subgroup_id` and `num_subgroups`. */
  readonly subgroupIndex: boolean;
  readonly workgroupBytes: number;
  /** Subgroup matrices; null where the device has none. */
  readonly fragments: FragmentSupport | null;
}

/** The parts of a kernel that all variants share. */
export interface MatmulCode {
  readonly orientation: Orientation;
  /**
   * `a4(m, k)`: four k of row m (NT, NN); `a4(k, m)`: four m of row k (TN). `weight4` likewise for B; `weight4h` the
   * same in f16, where the plan asked for it.
   */
  readonly loads: string;
  /** `storeTile(m, n, tile)`: 4 × 4 of C from (m, n) on, with the bias, residual and bounds. */
  readonly store: string;
}

/** How a variant makes one product. */
export interface MatmulPlan {
  /** Names everything that the code depends on besides MatmulCode. */
  readonly key: string;
  readonly threads: number;
  /** Rows and columns of C that one workgroup makes. */
  readonly rows: number;
  readonly columns: number;
  readonly enables?: readonly Enable[];
  /** A workgroup is one subgroup (pipelines.ts). */
  readonly oneSubgroup?: boolean;
  /** Store one value at a time in a loop: unrolled stores are most of a shader's compile time on CPU adapters. */
  readonly scalarStores?: boolean;
  /** Read the weight as f16: `weight4h`. */
  readonly f16Weights?: boolean;
  readonly code: (parts: MatmulCode) => string;
}

export interface MatmulVariant {
  readonly name: MatmulVariantName;
  /** What the adapter lacks for it, as the end of "this adapter has no …"; null when it can run. */
  lacks(adapter: MatmulAdapter): string | null;
  /** Null: not written for this product; the plain variant takes it. */
  plan(shape: MatmulShape, adapter: MatmulAdapter): MatmulPlan | null;
  /** Rounds operands stored in 32 bits to f16 in such a product. */
  rounds(shape: Pick<MatmulShape, "orientation" | "format">, adapter: MatmulAdapter): boolean;
}
