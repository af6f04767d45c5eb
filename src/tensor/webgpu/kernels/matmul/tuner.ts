/**
 * The tuner: for each kind of product, the fastest of the variants that the adapter offers and that agree with the
 * plain one. Variants that round 32-bit operands take part only where the weight is packed, and so rounded already. A
 * variant must be a twentieth faster than the plain one to be chosen, so that noise does not decide. Kinds that the
 * time limit leaves unmeasured stay plain.
 */
import {
  MATMUL_KINDS,
  type MatmulKind,
  type MatmulTable,
  matmulVariant,
  offeredVariants,
  plainVariant,
  uniformTable,
} from "./choice";
import type { MatmulAdapter, MatmulShape, MatmulVariantName } from "./variant";

/** The product that stands for its kind: eight rows of a decoder, or a micro-batch; a layer of 512 → 512. */
export const TUNED_SHAPES: Readonly<Record<MatmulKind, MatmulShape>> = {
  fewRows: { orientation: "NT", m: 8, n: 1024, k: 512, format: "f32" },
  manyRows: { orientation: "NT", m: 512, n: 512, k: 512, format: "f32" },
  inputGradient: { orientation: "NN", m: 512, n: 512, k: 512, format: "f32" },
  weightGradient: { orientation: "TN", m: 512, n: 512, k: 512, format: "f32" },
  fewRowsPacked: { orientation: "NT", m: 8, n: 1024, k: 512, format: "f16" },
  manyRowsPacked: { orientation: "NT", m: 512, n: 512, k: 512, format: "f16" },
  inputGradientPacked: { orientation: "NN", m: 512, n: 512, k: 512, format: "f16" },
};

/** Allowed difference from the plain variant, over the largest value: another order of the sum; operands in f16. */
const AGREES = 1e-4;
const F16_AGREES = 3e-3;
const MARGIN = 0.95;

/** How one variant did one kind of product. */
export interface Trial {
  readonly kind: MatmulKind;
  readonly variant: MatmulVariantName;
  /** Best time of one product; null where it was refused. */
  readonly milliseconds: number | null;
  /** Why it was refused. */
  readonly refused?: string;
}

export interface Tuning {
  readonly table: MatmulTable;
  readonly trials: readonly Trial[];
  /** Kinds left to the plain variant because time was up. */
  readonly untried: readonly MatmulKind[];
}

/** What the tuner needs of a device. */
export interface Timing {
  /**
   * Compile and run once. → largest difference from the plain variant's values, over the largest value; or the device's
   * error
   */
  compare(kind: MatmulKind, variant: MatmulVariantName): Promise<number | { readonly error: string }>;
  /** Milliseconds of one product. */
  time(kind: MatmulKind, variant: MatmulVariantName): Promise<number>;
}

export async function tune(
  adapter: MatmulAdapter,
  timing: Timing,
  budgetMs: number,
  now: () => number,
): Promise<Tuning> {
  const plain = plainVariant(adapter);
  const table: Record<MatmulKind, MatmulVariantName> = { ...uniformTable(plain) };
  const trials: Trial[] = [];
  const untried: MatmulKind[] = [];
  const began = now();
  for (const kind of MATMUL_KINDS) {
    if (now() - began > budgetMs) {
      untried.push(kind);
      continue;
    }
    const ofKind: Trial[] = [];
    for (const variant of candidates(kind, adapter)) ofKind.push(await trial(kind, variant, adapter, timing));
    trials.push(...ofKind);
    table[kind] = fastest(ofKind, plain);
  }
  return { table, trials, untried };
}

/** The plain variant first: the others are compared with it. */
export function candidates(kind: MatmulKind, adapter: MatmulAdapter): readonly MatmulVariantName[] {
  const plain = plainVariant(adapter);
  const shape = TUNED_SHAPES[kind];
  const others = offeredVariants(adapter).offered.filter((name) => {
    const variant = matmulVariant(name);
    return (
      name !== plain &&
      variant.plan(shape, adapter) !== null &&
      (shape.format !== "f32" || !variant.rounds(shape, adapter))
    );
  });
  return [plain, ...others];
}

async function trial(
  kind: MatmulKind,
  variant: MatmulVariantName,
  adapter: MatmulAdapter,
  timing: Timing,
): Promise<Trial> {
  const found = await timing.compare(kind, variant);
  if (typeof found !== "number") return { kind, variant, milliseconds: null, refused: found.error };
  const allowed = matmulVariant(variant).rounds(TUNED_SHAPES[kind], adapter) ? F16_AGREES : AGREES;
  if (!(found <= allowed))
    return {
      kind,
      variant,
      milliseconds: null,
      refused: `differs from the plain variant by ${found} of the largest value, ${allowed} allowed`,
    };
  return { kind, variant, milliseconds: await timing.time(kind, variant) };
}

function fastest(trials: readonly Trial[], plain: MatmulVariantName): MatmulVariantName {
  const timeOfPlain = trials.find(({ variant }) => variant === plain)?.milliseconds ?? Infinity;
  let best = { variant: plain, milliseconds: MARGIN * timeOfPlain };
  for (const { variant, milliseconds } of trials) {
    if (variant !== plain && milliseconds !== null && milliseconds < best.milliseconds)
      best = { variant, milliseconds };
  }
  return best.variant;
}
