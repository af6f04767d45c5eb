/**
 * The user's own data set: records of {image or images, question, answer} in a file of JSON Lines, a JSON list, or
 * Parquet. Texts are read and checked when the set is opened; images (imageReference.ts) are read on demand.
 *
 * Other columns are ignored. A record is named by its `id`, else by its row number; evaluations are grouped by its
 * `category`, else "data". `answerKind` and `tolerance` say what the grader requires of an answer (src/srpo/grader).
 * A row that is no record is passed over or ends the command (recordFaults.ts); it keeps its row number, so mending it
 * renames no other record.
 */
import { dirname } from "node:path";
import { z } from "zod";
import { parseRow } from "../arguments/inputFile";
import { fileFault } from "../files/fileFault";
import { InputError } from "../files/inputError";
import { shortened } from "../files/shortened";
import { type AnswerRule, answerRuleOf, answerRuleShape } from "./answerRules";
import { ImageReferenceError, imageBytes, imagesOf, imagesSchema } from "./imageReference";
import { type RecordFaults, type RecordPlace, UnusableRecordError } from "./recordFaults";
import { openRows } from "./recordRows";

const LONGEST_NAME = 1000;

const text = z
  .union([z.string(), z.number(), z.boolean(), z.bigint()], "expected text or a number")
  .transform(String)
  .pipe(z.string().trim().min(1, "is empty"));
const name = text.pipe(z.string().max(LONGEST_NAME, `longer than ${LONGEST_NAME} characters`));
const textShape = {
  id: name.nullish(),
  category: name.nullish(),
  question: text.nullish(),
  problem: text.nullish(),
  answer: text,
  ...answerRuleShape,
};
const textSchema = z.object(textShape);

/** The rule says what the grader requires of an answer. */
export interface DataRecord extends AnswerRule {
  readonly id: string;
  readonly category: string;
  readonly question: string;
  readonly answer: string;
}

export interface DataRecords {
  readonly path: string;
  /** Those that can be used, in the order of the file. */
  readonly records: readonly DataRecord[];
  /** Rows of the file, those that are no records included. */
  readonly rows: number;
  /** Where a record stands. */
  place(index: number): RecordPlace;
  /** The encoded images of a record, in order; at least one. @throws UnusableRecordError */
  images(index: number): Promise<readonly Uint8Array[]>;
}

/**
 * @param imagesFolder base of image paths; null: the file's folder.
 * @param faults told of rows that are no records
 * @throws InputError when the file cannot be read, or holds no record
 */
export async function openDataRecords(
  path: string,
  imagesFolder: string | null,
  faults: RecordFaults,
): Promise<DataRecords> {
  const data = await readDataRecords(path, imagesFolder, faults);
  if (data.records.length === 0) throw new InputError(`${path}: ${noRecords(path, data.rows, faults)}`);
  return data;
}

/** The same, also where no row is a record. */
export async function readDataRecords(
  path: string,
  imagesFolder: string | null,
  faults: RecordFaults,
): Promise<DataRecords> {
  const folder = imagesFolder ?? dirname(path);
  const opened = await reading(
    path,
    openRows(path, { texts: Object.keys(textShape), images: Object.keys(imagesSchema.shape) }),
  );
  const records: DataRecord[] = [];
  const places: RecordPlace[] = [];
  const seen = new Map<string, RecordPlace>();
  let rows = 0;
  const at = opened.rows[Symbol.asyncIterator]();
  for (;;) {
    const next = await reading(path, at.next());
    if (next.done === true) break;
    const { line, ...row } = next.value;
    const place = { file: path, row: rows++, ...(line === undefined ? {} : { line }) };
    const read = "fault" in row ? row : recordOf(row.value, place.row);
    if ("fault" in read) {
      faults.found({ ...place, ...idOf(row), reason: read.fault });
      continue;
    }
    const { id } = read.record;
    const first = seen.get(id);
    if (first !== undefined) {
      const where = first.line === undefined ? `row ${first.row}` : `line ${first.line}`;
      faults.found({ ...place, id, reason: `${where} has the same id "${shortened(id)}"` });
      continue;
    }
    seen.set(id, place);
    places.push({ ...place, id });
    records.push(read.record);
  }
  const placeOf = (index: number): RecordPlace => {
    const place = places[index];
    if (place === undefined) throw new Error(`${path}: there is no record ${index} of ${records.length}`);
    return place;
  };
  return {
    path,
    records,
    rows,
    place: placeOf,
    async images(index) {
      const place = placeOf(index);
      try {
        const row = parseRow(await opened.images(place.row), imagesSchema);
        if ("fault" in row) throw new ImageReferenceError(row.fault);
        return await Promise.all(imagesOf(row.value).map((reference) => imageBytes(reference, folder)));
      } catch (error) {
        if (!(error instanceof ImageReferenceError)) throw error;
        throw new UnusableRecordError({ ...place, reason: error.message });
      }
    },
  };
}

/** Faults of the file itself are faults of the input. */
async function reading<T>(path: string, job: Promise<T>): Promise<T> {
  try {
    return await job;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${shortened(path, 1000)}: ${fileFault(error)}`);
  }
}

function noRecords(path: string, rows: number, faults: RecordFaults): string {
  const [first] = faults.skipped.filter(({ file }) => file === path);
  if (first === undefined) return "contains no records";
  const at = first.line === undefined ? `row ${first.row}` : `line ${first.line}`;
  return `none of its ${rows} rows is a record; the first, ${at}: ${first.reason}`;
}

function recordOf(row: unknown, index: number): { readonly record: DataRecord } | { readonly fault: string } {
  const read = parseRow(row, textSchema);
  if ("fault" in read) return read;
  const { id, category, question, problem, answer, ...rule } = read.value;
  const asked = question ?? problem;
  if (asked == null) return { fault: "question: is missing" };
  const record = { id: id ?? String(index), category: category ?? "data", question: asked, answer };
  return { record: { ...record, ...answerRuleOf(rule) } };
}

/** The id of a row that is otherwise no record. */
function idOf(row: { readonly value: unknown } | { readonly fault: string }): { readonly id?: string } {
  const read = "value" in row ? z.object({ id: name }).safeParse(row.value) : null;
  return read?.success === true ? { id: read.data.id } : {};
}
