/** The choice of matmul variants for an adapter: loaded if it was stored, else measured and stored. */
import { type MatmulTable, matmulVariant } from "./kernels/matmul/choice";
import { type Timing, type Trial, tune } from "./kernels/matmul/tuner";
import { parseTuningRecord, type TuningRecord, type TuningStore, withChoice } from "./kernels/matmul/tuningRecord";
import type { MatmulAdapter } from "./kernels/matmul/variant";

/** Time limit for the whole tuning; a measurement that has begun is finished. */
const BUDGET_MS = 1500;

export interface MatmulTuning {
  readonly table: MatmulTable;
  readonly from: "kept" | "measured";
  /** Empty where the choice was kept. */
  readonly trials: readonly Trial[];
  /** Harmless problems on the way: a record that could not be read or stored, a variant that was refused. */
  readonly notes: readonly string[];
}

export interface TuneOptions {
  readonly adapter: MatmulAdapter;
  readonly identity: string;
  /** Null: measure every time. */
  readonly store: TuningStore | null;
  readonly timing: Timing;
  readonly now: () => number;
  readonly budgetMs?: number;
}

export async function tuneMatmul({
  adapter,
  identity,
  store,
  timing,
  now,
  budgetMs = BUDGET_MS,
}: TuneOptions): Promise<MatmulTuning> {
  const notes: string[] = [];
  const record = store === null ? null : await readRecord(store, notes);
  const kept = record?.choices.find((choice) => choice.identity === identity);
  if (kept) {
    const unable = Object.values(kept.table).find((name) => matmulVariant(name).lacks(adapter) !== null);
    if (unable === undefined) return { table: kept.table, from: "kept", trials: [], notes };
    notes.push(`The kept choice of matmul variants names ${unable}, which this adapter cannot run: measured again.`);
  }
  const { table, trials, untried } = await tune(adapter, timing, budgetMs, now);
  for (const { kind, variant, refused } of trials)
    if (refused !== undefined) notes.push(`${variant} is not used for ${kind}: ${refused}`);
  if (untried.length > 0) notes.push(`No time to measure ${untried.join(", ")}: left to the plain variant.`);
  if (store !== null) {
    try {
      await store.write(`${JSON.stringify(withChoice(record, identity, table), null, 1)}\n`);
    } catch (error) {
      notes.push(
        "The choice of matmul variants could not be kept and will be measured again: " +
          `${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  return { table, from: "measured", trials, notes };
}

async function readRecord(store: TuningStore, notes: string[]): Promise<TuningRecord | null> {
  let text: string | null;
  try {
    text = await store.read();
  } catch (error) {
    notes.push(
      `The kept choice of matmul variants could not be read: ${error instanceof Error ? error.message : String(error)}`,
    );
    return null;
  }
  const record = parseTuningRecord(text);
  if (record === null || !("damaged" in record)) return record;
  notes.push(`The kept choice of matmul variants is damaged and was measured again: ${record.damaged}`);
  return null;
}
