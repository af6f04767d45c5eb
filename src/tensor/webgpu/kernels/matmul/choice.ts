/**
 * Which variant computes which product on a backend. Products fall into a few kinds, one row of the table each; a
 * variant leaves products that it does not support to the plain one (broadcast or register tiles on CPU adapters,
 * shared tiles on GPUs). The choice is made when the backend is opened and never changes, so a backend gives the same
 * bits every time; a backend with another choice is another backend.
 */
import { broadcastTiles } from "./broadcastTiles";
import { f16 } from "./f16";
import { registerTiles } from "./registerTiles";
import { sharedTiles } from "./sharedTiles";
import { subgroupMatrix } from "./subgroupMatrix";
import { FEW_ROWS, subgroups } from "./subgroups";
import {
  MATMUL_VARIANTS,
  type MatmulAdapter,
  type MatmulPlan,
  type MatmulShape,
  type MatmulVariant,
  type MatmulVariantName,
} from "./variant";

/** x · Wᵀ of few rows (decoding) and of many, dy · W, dyᵀ · x; those with a weight also for packed weights. */
export const MATMUL_KINDS = [
  "fewRows",
  "manyRows",
  "inputGradient",
  "weightGradient",
  "fewRowsPacked",
  "manyRowsPacked",
  "inputGradientPacked",
] as const;
export type MatmulKind = (typeof MATMUL_KINDS)[number];

export type MatmulTable = Readonly<Record<MatmulKind, MatmulVariantName>>;

const VARIANTS: Readonly<Record<MatmulVariantName, MatmulVariant>> = {
  registerTiles,
  broadcastTiles,
  sharedTiles,
  subgroups,
  f16,
  subgroupMatrix,
};

export function matmulVariant(name: MatmulVariantName): MatmulVariant {
  return VARIANTS[name];
}

/** What a backend is opened with: a variant, or "tuned" to measure them (also on CPU adapters). */
export type MatmulOption = MatmulVariantName | "tuned";
export const MATMUL_OPTIONS: readonly MatmulOption[] = [...MATMUL_VARIANTS, "tuned"];

/** The variants that an adapter can run, and what it lacks for the others. */
export function offeredVariants(adapter: MatmulAdapter): {
  readonly offered: readonly MatmulVariantName[];
  readonly missing: readonly { readonly variant: MatmulVariantName; readonly lacks: string }[];
} {
  const judged = MATMUL_VARIANTS.map((variant) => ({ variant, lacks: VARIANTS[variant].lacks(adapter) }));
  return {
    offered: judged.filter(({ lacks }) => lacks === null).map(({ variant }) => variant),
    missing: judged.flatMap(({ variant, lacks }) => (lacks === null ? [] : [{ variant, lacks }])),
  };
}

export function kindOf({ orientation, m, format }: Pick<MatmulShape, "orientation" | "m" | "format">): MatmulKind {
  if (orientation === "TN") return "weightGradient";
  const plain = orientation === "NN" ? "inputGradient" : m <= FEW_ROWS ? "fewRows" : "manyRows";
  return format === "f32" ? plain : `${plain}Packed`;
}

/** The variant for adapters that were not measured, and for products that a variant does not support. */
export function plainVariant(adapter: MatmulAdapter): MatmulVariantName {
  if (!adapter.software) return "sharedTiles";
  return broadcastTiles.lacks(adapter) === null ? "broadcastTiles" : "registerTiles";
}

/** One variant for every kind. */
export function uniformTable(name: MatmulVariantName): MatmulTable {
  return {
    fewRows: name,
    manyRows: name,
    inputGradient: name,
    weightGradient: name,
    fewRowsPacked: name,
    manyRowsPacked: name,
    inputGradientPacked: name,
  };
}

/** The requested variant cannot run on the adapter. */
export class MatmulError extends Error {
  override readonly name = "MatmulError";
}

export class MatmulVariants {
  private readonly plain: MatmulVariant;

  private chosen: MatmulTable;

  /** @throws MatmulError when the adapter cannot run a variant of the table, naming what it lacks */
  constructor(
    readonly adapter: MatmulAdapter,
    table: MatmulTable,
  ) {
    this.plain = VARIANTS[plainVariant(adapter)];
    this.chosen = this.checked(table);
  }

  get table(): MatmulTable {
    return this.chosen;
  }

  /** Take the tuner's choice: once, before a backend does any work for others. @throws as the constructor */
  adopt(table: MatmulTable): void {
    this.chosen = this.checked(table);
  }

  private checked(table: MatmulTable): MatmulTable {
    for (const name of new Set(Object.values(table))) {
      const lacks = VARIANTS[name].lacks(this.adapter);
      if (lacks !== null) {
        throw new MatmulError(
          `Matmul variant "${name}" cannot run here: this adapter has no ${lacks}. It can run ` +
            `${offeredVariants(this.adapter).offered.join(", ")}.`,
        );
      }
    }
    return table;
  }

  planFor(shape: MatmulShape): MatmulPlan {
    const plan = VARIANTS[this.table[kindOf(shape)]].plan(shape, this.adapter) ?? this.plain.plan(shape, this.adapter);
    if (plan === null)
      throw new Error(`No variant of the product is written for ${shape.orientation} in ${shape.format}.`);
    return plan;
  }

  /** Products with f32 weights round an operand to f16: results agree with f32 to about 1e-3 only. */
  get roundsF32(): boolean {
    return (["NT", "NN", "TN"] as const).some((orientation) =>
      [1, FEW_ROWS + 1].some((m) => {
        const shape: MatmulShape = { orientation, m, n: 1, k: 1, format: "f32" };
        const variant = VARIANTS[this.table[kindOf(shape)]];
        return variant.plan(shape, this.adapter) !== null && variant.rounds(shape, this.adapter);
      }),
    );
  }

  /** "registerTiles", or each variant with its kinds: "subgroups (fewRows), sharedTiles (manyRows, …)". */
  describe(): string {
    const kinds = new Map<MatmulVariantName, MatmulKind[]>();
    for (const kind of MATMUL_KINDS) kinds.set(this.table[kind], [...(kinds.get(this.table[kind]) ?? []), kind]);
    if (kinds.size === 1) return [...kinds.keys()].join("");
    return [...kinds].map(([variant, of]) => `${variant} (${of.join(", ")})`).join(", ");
  }
}
