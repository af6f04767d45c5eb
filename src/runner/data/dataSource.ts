/**
 * A data set as a session's source of problems. Each stage goes through the set in epochs, reshuffled each epoch by the
 * run's seed; a problem is identified by its record's id. Reflection data comes from `srpo reflect`. Records that
 * cannot be used are passed over or end the run (recordFaults.ts).
 */
import { createHash } from "node:crypto";
import { PAPER_FORM, type ReflectionForm } from "../../srpo/reflectionForm";
import { combineSeeds } from "../../tasks/random";
import { problemRecord } from "../../training/dataCursor";
import type { CheckProblem, ProblemSource } from "../../training/problemSource";
import { shuffledStream } from "../../training/randomStreams";
import type { Stage } from "../../training/records";
import type { TrainingProblem } from "../../training/trainingProblem";
import { UnusableProblemError } from "../../training/unusableProblem";
import { InputError } from "../files/inputError";
import { dataProblem, recordFault } from "./dataProblem";
import { type DataRecords, openDataRecords } from "./dataRecords";
import { givenReflections, readReflections } from "./givenReflections";
import { withinLimit } from "./promptLimit";
import { readPrompt, responseInstruction } from "./prompts";
import { type RecordFaults, UnusableRecordError } from "./recordFaults";
import { takeUsable, usableOrFault } from "./takeUsable";

/** The files of a run's data. */
export interface DataOptions {
  readonly train: string;
  /** Records for evaluations and single samples, never trained on. */
  readonly heldOut: string | null;
  /** Base of image paths; null: the folder of each file. */
  readonly images: string | null;
  /** File with the text below every question; null: our prompt, which asks for the response format. */
  readonly instruction: string | null;
  /** Reflection data for the SFT stage. */
  readonly reflections: string | null;
  /** Records with a longer prompt cannot be used; null: as long as the policy takes. */
  readonly maxPromptTokens?: number | null;
  /** The form of reflection that our own instruction asks for; by default the paper's. */
  readonly reflectionForm?: ReflectionForm;
}

/** Each stage has its own order, so they do not start with the same records. */
const STAGE_ORDERS: Readonly<Record<Stage, number>> = { base: 11, sft: 12, grpo: 13 };

export interface OpenedSource {
  readonly source: ProblemSource;
  /** Records to train on. */
  readonly size: number;
  /**
   * Digest of every text that training reads; without images, since reading them all would take as long as an epoch.
   */
  readonly digest: string;
}

/** @throws InputError naming the invalid file, and in a run that stops at the first fault, row and field */
export async function openDataSource(options: DataOptions, faults: RecordFaults): Promise<OpenedSource> {
  const train = await openDataRecords(options.train, options.images, faults);
  const heldOut = options.heldOut === null ? null : await openDataRecords(options.heldOut, options.images, faults);
  const instruction = await readInstruction(options);
  const limit = options.maxPromptTokens ?? null;
  const index = new Map(train.records.map(({ id }, at) => [id, at]));
  const given =
    options.reflections === null ? null : await readReflections(options.reflections, index, train.path, faults);
  const held = (): DataRecords => {
    if (heldOut === null) throw new InputError("the data set has no held-out records: set data.heldOut to a file");
    return heldOut;
  };
  const usable = (data: DataRecords, at: number, check: CheckProblem): Promise<TrainingProblem | UnusableRecordError> =>
    usableOrFault(checkedProblem(data, at, instruction, (problem) => withinLimit(check(problem), limit)));
  const problemOf = async (id: string): Promise<TrainingProblem> => {
    const at = index.get(id);
    if (at === undefined)
      throw new InputError(
        `${train.path}: there is no record "${id}", which the run has used: restore its data, or start a new run`,
      );
    return dataProblem(train, at, instruction);
  };
  const source: ProblemSource = {
    training(stage, cursor, count, settings, check) {
      const size = train.records.length;
      const recordAt = shuffledStream(size, combineSeeds(settings.seed, STAGE_ORDERS[stage]));
      const load = (position: number) => usable(train, recordAt(position), check);
      return takeUsable({ load, size, path: train.path }, cursor, count, faults);
    },
    async heldOut(count, _settings, check) {
      const records = held();
      if (count > records.rows)
        throw new InputError(`${records.path}: contains ${records.rows} problems, fewer than the ${count} requested`);
      return firstUsable(records, count, (at) => usable(records, at, check), faults);
    },
    async requested(count, family, _settings, check) {
      const records = held();
      const matches = records.records.flatMap(({ category }, at) =>
        family === null || category === family ? [at] : [],
      );
      if (matches.length === 0) throw new InputError(`${records.path}: no record has the category "${family}"`);
      const load = (position: number) => usable(records, matches[position % matches.length] ?? 0, check);
      const { items } = await takeUsable({ load, size: matches.length, path: records.path }, count, 1, faults);
      const [problem] = items;
      if (problem === undefined) throw new Error(`${records.path}: no problem was taken`);
      return problem;
    },
    async problemOf(id) {
      const problem = await usableOrFault(problemOf(id));
      if (!(problem instanceof UnusableRecordError)) return problem;
      faults.found(problem.record);
      throw problem;
    },
    reflections:
      given === null || options.reflections === null
        ? null
        : givenReflections(
            options.reflections,
            given,
            async (id) => problemRecord(await problemOf(id)),
            (id, error) => recordFault(train, index.get(id) ?? 0, error),
            faults,
            limit,
          ),
  };
  return {
    source,
    size: train.records.length,
    digest: createHash("sha256")
      .update(JSON.stringify([train.records, instruction, given?.examples ?? null]))
      .digest("hex"),
  };
}

/** The user's own instruction as it is, else ours for the run's form of reflection. */
export async function readInstruction({
  instruction,
  reflectionForm = PAPER_FORM,
}: Pick<DataOptions, "instruction" | "reflectionForm">): Promise<string> {
  if (instruction !== null) return readPrompt("response-format", instruction);
  return responseInstruction(await readPrompt("response-format"), reflectionForm);
}

/** A record as a problem that `check` accepts. @throws UnusableRecordError when it cannot be used */
export async function checkedProblem(
  data: DataRecords,
  at: number,
  instruction: string,
  check: (problem: TrainingProblem) => unknown,
): Promise<TrainingProblem> {
  const problem = await dataProblem(data, at, instruction);
  try {
    check(problem);
  } catch (error) {
    if (error instanceof UnusableProblemError) throw recordFault(data, at, error);
    throw error;
  }
  return problem;
}

/** The first `count` records that can be used, or as many as there are. */
async function firstUsable(
  { path, rows, records, place }: DataRecords,
  count: number,
  load: (at: number) => Promise<TrainingProblem | UnusableRecordError>,
  faults: RecordFaults,
): Promise<{ readonly items: readonly TrainingProblem[]; readonly skipped: number }> {
  const items: TrainingProblem[] = [];
  let from = 0;
  while (items.length < count && from < records.length) {
    const to = Math.min(records.length, from + count - items.length);
    const loaded = await Promise.all(Array.from({ length: to - from }, (_, i) => load(from + i)));
    for (const item of loaded) {
      if (item instanceof UnusableRecordError) faults.found(item.record);
      else items.push(item);
    }
    from = to;
  }
  const seen = from < records.length ? place(from - 1).row + 1 : rows;
  if (items.length > 0) return { items, skipped: seen - items.length };
  const [first] = faults.skipped.filter(({ file }) => file === path);
  throw new UnusableProblemError(`${path}: none of its ${rows} records can be used; the first: ${first?.reason ?? ""}`);
}
