/**
 * Every record of a data set as a run would meet it, without training: pictures opened, prompts rendered and measured,
 * reflections with their prompts. One record at a time in the order of the file, so a large set needs little memory.
 */
import type { PromptReader } from "../../training/promptCheck";
import { checkPrompt, checkResponse } from "../../training/promptCheck";
import type { Settings } from "../../training/settings";
import { UnusableProblemError } from "../../training/unusableProblem";
import { dataProblem, recordFault } from "./dataProblem";
import { type DataRecords, readDataRecords } from "./dataRecords";
import { readReflectionLines } from "./givenReflections";
import { withinLimit } from "./promptLimit";
import { RecordFaults, type RecordPlace, UnusableRecordError } from "./recordFaults";

/** A line of the report. Numbers are absent where the record could not be measured. */
export interface CheckedRecord extends RecordPlace {
  /** Pictures included. */
  readonly promptTokens?: number;
  readonly pictureTokens?: number;
  /** Width and height of each picture, as it is stored. */
  readonly size?: readonly (readonly [number, number])[];
  /** Of a reflection. */
  readonly responseTokens?: number;
  /** Why it would be skipped; null where it would be used. */
  readonly error: string | null;
}

export interface CheckOptions {
  readonly images: string | null;
  /** Text below every question. */
  readonly instruction: string;
  readonly maxPromptTokens: number | null;
  readonly settings: Settings;
}

/** Pictures decoded at the same time. */
const AHEAD = 4;

/** @throws InputError when the file cannot be read */
export async function* checkRecords(
  path: string,
  policy: PromptReader,
  options: CheckOptions,
): AsyncGenerator<CheckedRecord> {
  const faults = new RecordFaults("skip");
  const data = await readDataRecords(path, options.images, faults);
  const rowFaults = [...faults.skipped].sort((a, b) => a.row - b.row);
  const running: Promise<CheckedRecord>[] = [];
  for (let at = 0; at <= data.records.length; at++) {
    while (running.length < AHEAD && at + running.length < data.records.length)
      running.push(checkRecord(data, at + running.length, policy, options));
    const next = await running.shift();
    const before = next?.row ?? data.rows;
    while ((rowFaults[0]?.row ?? before) < before) {
      const fault = rowFaults.shift();
      if (fault === undefined) break;
      const { reason, ...place } = fault;
      yield { ...place, error: reason };
    }
    if (next !== undefined) yield next;
  }
}

async function checkRecord(
  data: DataRecords,
  at: number,
  policy: PromptReader,
  { instruction, maxPromptTokens, settings }: CheckOptions,
): Promise<CheckedRecord> {
  const place = data.place(at);
  try {
    const problem = await dataProblem(data, at, instruction);
    const size = [problem.picture, ...(problem.morePictures ?? [])].map(
      ({ width, height }) => [width, height] as const,
    );
    try {
      const { tokens, pictures } = checkPrompt(policy, problem, settings);
      const measured = {
        ...place,
        promptTokens: tokens,
        pictureTokens: pictures.reduce((sum, picture) => sum + picture.tokens, 0),
        size,
      };
      return { ...measured, error: errorOf(() => withinLimit(tokens, maxPromptTokens)) };
    } catch (error) {
      if (!(error instanceof UnusableProblemError)) throw error;
      return { ...place, size, error: recordFault(data, at, error).record.reason };
    }
  } catch (error) {
    if (!(error instanceof UnusableRecordError)) throw error;
    return { ...place, error: error.record.reason };
  }
}

/**
 * The lines of a reflection file that have an example.
 * @param prompts tokens of the prompt of each usable record, by id
 * @throws InputError when the file cannot be read
 */
export async function* checkReflections(
  path: string,
  prompts: ReadonlyMap<string, number>,
  data: string,
  policy: PromptReader,
  settings: Settings,
): AsyncGenerator<CheckedRecord> {
  for (const { place, read } of await readReflectionLines(path, prompts, data)) {
    if ("fault" in read) {
      yield { ...place, error: read.fault };
      continue;
    }
    const promptTokens = prompts.get(read.value.problem) ?? 0;
    let responseTokens: number | undefined;
    const error = errorOf(() => {
      responseTokens = checkResponse(policy, promptTokens, read.value, settings);
    });
    yield { ...place, promptTokens, ...(responseTokens === undefined ? {} : { responseTokens }), error };
  }
}

function errorOf(check: () => unknown): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof UnusableProblemError) return error.message;
    throw error;
  }
}
