/**
 * Records that cannot be used, each named by file and row, with the reason. What happens then is the run's choice,
 * `data.onError`: `skip` passes over the record and counts it once, however often it is met; `stop` ends the command.
 * `skip` is the default: among thousands of records from elsewhere one is nearly always damaged, and it must not cost
 * a night's training; `srpo data check` finds them all beforehand.
 */
import { UnusableProblemError } from "../../training/unusableProblem";
import { InputError } from "../files/inputError";
import { shortened } from "../files/shortened";

export const ON_ERROR = ["skip", "stop"] as const;
export type OnError = (typeof ON_ERROR)[number];
export const DEFAULT_ON_ERROR: OnError = "skip";

export interface RecordPlace {
  readonly file: string;
  /** Counted from 0, records that cannot be used included. */
  readonly row: number;
  /** Line of a text file with a record on each, counted from 1. */
  readonly line?: number;
  /** Absent where the row cannot be read that far. */
  readonly id?: string;
}

/** A line of skipped.jsonl. */
export interface SkippedRecord extends RecordPlace {
  readonly reason: string;
}

/** `data.jsonl, line 3, record "r2"`. */
export function placeName({ file, row, line, id }: RecordPlace): string {
  const at = line === undefined ? `row ${row}` : `line ${line}`;
  return `${file}, ${at}${id === undefined || id === String(row) ? "" : `, record "${shortened(id)}"`}`;
}

export class UnusableRecordError extends UnusableProblemError {
  override readonly name = "UnusableRecordError";

  constructor(readonly record: SkippedRecord) {
    super(`${placeName(record)}: ${record.reason}`);
  }
}

export class RecordFaults {
  readonly #found = new Map<string, SkippedRecord>();

  /** @param onSkip called for each record once, when it is first skipped */
  constructor(
    readonly onError: OnError,
    private readonly onSkip: (record: SkippedRecord) => void = () => undefined,
  ) {}

  /** Every skipped record once, in the order in which they were found. */
  get skipped(): readonly SkippedRecord[] {
    return [...this.#found.values()];
  }

  /** Records that an earlier process of the same run skipped: they are not counted again. */
  remember(records: readonly SkippedRecord[]): void {
    for (const record of records) this.#found.set(keyOf(record), record);
  }

  /** A record that cannot be used. @throws InputError where the run is to stop, with what to do */
  found(record: SkippedRecord): void {
    if (this.onError === "stop")
      throw new InputError(
        `${placeName(record)}: ${record.reason}. Mend or remove the record, or pass over such records with ` +
          '--on-error skip (data.onError "skip"); srpo data check lists them all',
      );
    const key = keyOf(record);
    if (this.#found.has(key)) return;
    this.#found.set(key, record);
    this.onSkip(record);
  }
}

function keyOf({ file, row }: RecordPlace): string {
  return JSON.stringify([file, row]);
}
