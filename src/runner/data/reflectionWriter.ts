/**
 * Writes the lines of a reflection file. A record that the teacher refuses, or fails on, gets its line too and is not
 * asked about again; but only once the teacher has answered about another record after it. A teacher that refuses
 * everything (another model, an expired quota) would otherwise fill the file with records that it never read.
 */
import type { SkippedRecord } from "./recordFaults";
import type { ReflectionLine } from "./reflections";
import { TeacherError, TeacherFailure } from "./teacherClient";

/** Refusals in a row that are about the teacher and no longer about the records. */
const MAX_REFUSED = 16;
/** Failures in a row after all attempts; as many records as are asked about at a time. */
const MAX_FAILED = 8;

interface Held {
  readonly line: ReflectionLine;
  readonly record: SkippedRecord;
  readonly failed: boolean;
}

export class ReflectionWriter {
  #held: Held[] = [];
  #answered: boolean;

  /**
   * @param answered the file has lines of this teacher already
   * @param write appends a line
   * @param skip told of each record without an answer when its line is written
   */
  constructor(
    answered: boolean,
    private readonly write: (line: ReflectionLine) => Promise<void>,
    private readonly skip: (record: SkippedRecord) => void,
  ) {
    this.#answered = answered;
  }

  /** A line that the teacher's answer, or none asked for, led to. */
  async taught(line: ReflectionLine): Promise<void> {
    if (line.cost.requests > 0) {
      this.#answered = true;
      await this.writeHeld(this.#held.splice(0));
    }
    await this.write(line);
  }

  /** @throws TeacherError after too many in a row; none of them is written */
  hold(line: ReflectionLine, record: SkippedRecord, failed: boolean): void {
    this.#held.push({ line, record, failed });
    const failures = this.#held.filter((held) => held.failed).length;
    if (this.#held.length >= MAX_REFUSED || failures >= MAX_FAILED) throw this.giveUp();
  }

  /** All records have been asked about. @throws TeacherError where the teacher answered about none, or was gone last */
  async end(): Promise<void> {
    const failed = this.#held.filter((held) => held.failed);
    if (this.#held.length === 0) return;
    if (!this.#answered) throw this.giveUp();
    await this.writeHeld(this.#held.splice(0).filter((held) => !held.failed));
    const [first] = failed;
    if (first !== undefined)
      throw new TeacherFailure(
        `${failed.length === 1 ? "1 record is" : `${failed.length} records are`} left without an answer; run the ` +
          `command again to ask about them. The first, "${first.line.problem}": ${first.record.reason}`,
      );
  }

  private async writeHeld(held: readonly Held[]): Promise<void> {
    for (const { line, record } of held) {
      await this.write(line);
      this.skip(record);
    }
  }

  private giveUp(): TeacherError {
    const last = this.#held.at(-1);
    return new TeacherError(
      `the teacher answered none of the last ${this.#held.length} requests, so nothing was written for them; check ` +
        `model, quota and address, then run the command again. The last: ${last?.record.reason ?? ""}`,
    );
  }
}
