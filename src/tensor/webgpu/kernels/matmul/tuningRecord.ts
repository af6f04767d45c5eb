/**
 * The tuner's choices as they are kept between runs: one entry an adapter, driver and version of this code, the latest
 * few. An unreadable record is reported and rebuilt; an entry of another driver or other kernels is not found.
 */
import { z } from "zod";
import { MATMUL_KINDS, type MatmulTable, matmulVariant } from "./choice";
import { TUNED_SHAPES } from "./tuner";
import { MATMUL_VARIANTS, type MatmulAdapter } from "./variant";

/** Where the record is kept: a file in Node, IndexedDB in a page. */
export interface TuningStore {
  /** Null where nothing is kept yet. */
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
}

const KEPT = 8;
const variant = z.enum(MATMUL_VARIANTS);
const tableSchema = z.strictObject({
  fewRows: variant,
  manyRows: variant,
  inputGradient: variant,
  weightGradient: variant,
  fewRowsPacked: variant,
  manyRowsPacked: variant,
  inputGradientPacked: variant,
});
const recordSchema = z.strictObject({
  version: z.literal(1),
  choices: z.array(z.strictObject({ identity: z.string(), table: tableSchema })).max(KEPT),
});
export type TuningRecord = z.output<typeof recordSchema>;

/** @returns the record, or what is wrong with it; null where nothing is kept */
export function parseTuningRecord(text: string | null): TuningRecord | { readonly damaged: string } | null {
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { damaged: `it is no JSON (${error instanceof Error ? error.message : String(error)})` };
  }
  const parsed = recordSchema.safeParse(value);
  return parsed.success ? parsed.data : { damaged: z.prettifyError(parsed.error).replaceAll("\n", " ") };
}

/** The record with this choice in it, first. */
export function withChoice(record: TuningRecord | null, identity: string, table: MatmulTable): TuningRecord {
  const others = (record?.choices ?? []).filter((choice) => choice.identity !== identity);
  return { version: 1, choices: [{ identity, table: { ...table } }, ...others].slice(0, KEPT) };
}

/**
 * What a choice holds for: the adapter with its driver (as far as it tells), what it offers, where it runs (browser or
 * Node and their version), and the code of the variants itself, so changed kernels are measured again.
 */
export function tuningIdentity(
  { vendor, architecture, device, description }: GPUAdapterInfo,
  adapter: MatmulAdapter,
  environment: string,
): string {
  const { features, subgroupMinSize, subgroupMaxSize, fragments } = adapter;
  const offer = [...features].sort().join(" ");
  return [
    vendor,
    architecture,
    device,
    description,
    offer,
    `subgroups ${subgroupMinSize}–${subgroupMaxSize}`,
    fragments?.dialect.name ?? "no matrices",
    environment,
    `code ${codeHash(adapter)}`,
  ].join(" | ");
}

/** FNV-1a over the WGSL of every variant for every kind of product. */
function codeHash(adapter: MatmulAdapter): string {
  let hash = 0x811c9dc5;
  for (const name of MATMUL_VARIANTS) {
    if (matmulVariant(name).lacks(adapter) !== null) continue;
    for (const kind of MATMUL_KINDS) {
      const shape = TUNED_SHAPES[kind];
      const plan = matmulVariant(name).plan(shape, adapter);
      const text =
        plan === null ? "" : `${plan.key} ${plan.code({ orientation: shape.orientation, loads: "", store: "" })}`;
      for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
    }
  }
  return hash.toString(16).padStart(8, "0");
}
