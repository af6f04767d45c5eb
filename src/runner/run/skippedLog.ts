/**
 * What a command says of the records that it skips: the first few by name in its log, all of them in a file, their
 * number at the end. A resumed run reads the file of the processes before it and counts none of its records again.
 */
import { appendFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { z } from "zod";
import { parseLines, readInput } from "../arguments/inputFile";
import type { Arguments } from "../arguments/usage";
import {
  DEFAULT_ON_ERROR,
  ON_ERROR,
  type OnError,
  placeName,
  RecordFaults,
  type SkippedRecord,
} from "../data/recordFaults";
import { cutToWholeLines, readIfThere, writeAtomically } from "../files/atomicWrite";

/** In a run's folder. */
export const SKIPPED_FILE = "skipped.jsonl";
/** Records named in the log; a data set without its pictures would flood it. */
const NAMED = 5;

const skippedSchema = z.object({
  file: z.string(),
  row: z.int().nonnegative(),
  line: z.int().positive().exactOptional(),
  id: z.string().exactOptional(),
  reason: z.string(),
});

export class SkippedLog {
  readonly faults: RecordFaults;
  #writes = false;
  #named = 0;

  private constructor(
    onError: OnError,
    private readonly path: string | null,
    private readonly log: (line: string) => void,
  ) {
    this.faults = new RecordFaults(onError, (record) => this.skip(record));
  }

  /**
   * @param path of the file; null: none
   * @param resumed what the file holds counts, as far as `still` says so
   */
  static async open(
    onError: OnError,
    path: string | null,
    resumed: boolean,
    log: (line: string) => void,
    still: (record: SkippedRecord) => boolean = () => true,
  ): Promise<SkippedLog> {
    const skipped = new SkippedLog(onError, path, log);
    if (path !== null && resumed) {
      await cutToWholeLines(path);
      if ((await readIfThere(path)) !== null)
        skipped.faults.remember(parseLines(path, await readInput(path), skippedSchema).filter(still));
    }
    return skipped;
  }

  /** From now on the file holds every skipped record; before that a new run has no folder to write into. */
  async begin(): Promise<void> {
    this.#writes = true;
    if (this.path === null) return;
    const lines = this.faults.skipped.map((record) => `${JSON.stringify(record)}\n`);
    if (lines.length === 0) await rm(this.path, { force: true });
    else await writeAtomically(this.path, lines.join(""));
  }

  /** The line to end with; none where no record was skipped. */
  summary(): readonly string[] {
    const count = this.faults.skipped.length;
    if (count === 0) return [];
    const where = this.path === null ? "" : `; ${this.path} names each with its reason`;
    return [`${count} ${count === 1 ? "record was" : "records were"} skipped${where}`];
  }

  private skip(record: SkippedRecord): void {
    this.#named++;
    if (this.#named <= NAMED) this.log(`skipped ${placeName(record)}: ${record.reason}`);
    else if (this.#named === NAMED + 1) this.log("further skipped records are counted and no longer named here");
    if (this.#writes && this.path !== null) appendFileSync(this.path, `${JSON.stringify(record)}\n`);
  }
}

/** The flag, else what the run file says. */
export function onErrorOf(args: Arguments, given: OnError = DEFAULT_ON_ERROR): OnError {
  return args.given("onError") === null ? given : args.oneOf("onError", ON_ERROR);
}

/** For commands without a run folder: records are named on stderr. */
export function skippedOnStderr(args: Arguments): Promise<SkippedLog> {
  return SkippedLog.open(onErrorOf(args), null, false, (line) => void process.stderr.write(`${line}\n`));
}
