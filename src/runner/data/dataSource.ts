/**
 * A data set as a session's source of problems. Each stage goes through the set in epochs, reshuffled each epoch by the
 * run's seed; a problem is identified by its record's id. Reflection data comes from `srpo reflect`.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { PAPER_FORM, type ReflectionForm } from "../../srpo/reflectionForm";
import type { Picture } from "../../tasks/problem";
import { combineSeeds } from "../../tasks/random";
import type { ProblemSource } from "../../training/problemSource";
import { permutation } from "../../training/randomStreams";
import type { Stage } from "../../training/records";
import { type StoredExample, storedExampleSchema } from "../../training/state";
import type { TrainingProblem } from "../../training/trainingProblem";
import { parseLines, readInput } from "../arguments/inputFile";
import { InputError } from "../files/inputError";
import { answerRuleOf } from "./answerRules";
import { type DataRecords, openDataRecords } from "./dataRecords";
import { decodePicture } from "./pictures";
import { readPrompt, responseInstruction } from "./prompts";

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
  /** The form of reflection that our own instruction asks for; by default the paper's. */
  readonly reflectionForm?: ReflectionForm;
}

/** Each stage has its own order, so they do not start with the same records. */
const STAGE_ORDERS: Readonly<Record<Stage, number>> = { base: 11, sft: 12, grpo: 13 };

/** Lines of `srpo reflect`: examples, and skipped records with the reason. */
export const reflectionLineSchema = z.union([
  storedExampleSchema,
  z.object({ problem: z.string(), discarded: z.string() }),
]);

export interface OpenedSource {
  readonly source: ProblemSource;
  /** Records to train on. */
  readonly size: number;
  /**
   * Digest of every text that training reads; without images, since reading them all would take as long as an epoch.
   */
  readonly digest: string;
}

/** @throws InputError naming the invalid file, row and field */
export async function openDataSource(options: DataOptions): Promise<OpenedSource> {
  const train = await openDataRecords(options.train, options.images);
  const heldOut = options.heldOut === null ? null : await openDataRecords(options.heldOut, options.images);
  const instruction = await readInstruction(options);
  const index = new Map(train.records.map(({ id }, at) => [id, at]));
  const reflections =
    options.reflections === null ? null : await readReflections(options.reflections, index, train.path);
  const held = (): DataRecords => {
    if (heldOut === null) throw new InputError("the data set has no held-out records: set data.heldOut to a file");
    return heldOut;
  };
  const source: ProblemSource = {
    training(stage, cursor, count, settings) {
      const size = train.records.length;
      const seed = combineSeeds(settings.seed, STAGE_ORDERS[stage]);
      const orders = new Map<number, number[]>();
      return Promise.all(
        Array.from({ length: count }, (_, i) => {
          const position = cursor + i;
          const epoch = Math.floor(position / size);
          const order = orders.get(epoch) ?? permutation(size, seed, epoch);
          orders.set(epoch, order);
          return dataProblem(train, order[position % size] ?? 0, instruction);
        }),
      );
    },
    async heldOut(count) {
      const records = held();
      if (count > records.records.length)
        throw new InputError(
          `${records.path}: contains ${records.records.length} problems, fewer than the ${count} requested`,
        );
      return Promise.all(Array.from({ length: count }, (_, i) => dataProblem(records, i, instruction)));
    },
    async requested(count, family) {
      const records = held();
      const matches = records.records.flatMap(({ category }, at) =>
        family === null || category === family ? [at] : [],
      );
      const at = matches[count % matches.length];
      if (at === undefined) throw new InputError(`${records.path}: no record has the category "${family}"`);
      return dataProblem(records, at, instruction);
    },
    async problemOf(id) {
      const at = index.get(id);
      if (at === undefined)
        throw new InputError(
          `${train.path}: there is no record "${id}", which the run has used: restore its data, or start a new run`,
        );
      return dataProblem(train, at, instruction);
    },
    reflections,
  };
  return {
    source,
    size: train.records.length,
    digest: createHash("sha256")
      .update(JSON.stringify([train.records, instruction, reflections]))
      .digest("hex"),
  };
}

/** The user's own instruction as it is, else ours for the run's form of reflection. */
async function readInstruction({ instruction, reflectionForm = PAPER_FORM }: DataOptions): Promise<string> {
  if (instruction !== null) return readPrompt("response-format", instruction);
  return responseInstruction(await readPrompt("response-format"), reflectionForm);
}

/** The problem of one record, its images decoded. */
export async function dataProblem(data: DataRecords, at: number, instruction: string): Promise<TrainingProblem> {
  const record = data.records[at];
  if (record === undefined)
    throw new Error(`${data.path}: there is no row ${at}; expected 0 to ${data.records.length - 1}`);
  const pictures: Picture[] = [];
  for (const bytes of await data.images(at)) {
    try {
      pictures.push(await decodePicture(bytes));
    } catch (error) {
      throw new InputError(
        `${data.path}, record "${record.id}": cannot decode its image ` +
          `(${error instanceof Error ? error.message : String(error)})`,
      );
    }
  }
  const [picture, ...morePictures] = pictures;
  if (picture === undefined) throw new InputError(`${data.path}, record "${record.id}": no image`);
  return {
    id: record.id,
    family: record.category,
    picture,
    ...(morePictures.length === 0 ? {} : { morePictures }),
    question: instruction === "" ? record.question : `${record.question}\n\n${instruction}`,
    answer: record.answer,
    ...answerRuleOf(record),
  };
}

async function readReflections(
  path: string,
  known: ReadonlyMap<string, number>,
  data: string,
): Promise<StoredExample[]> {
  const lines = parseLines(path, await readInput(path), reflectionLineSchema);
  const examples = lines.flatMap((line) => ("discarded" in line ? [] : [line]));
  if (examples.length === 0) throw new InputError(`${path}: contains no reflections; make some with srpo reflect`);
  const stray = examples.find(({ problem }) => !known.has(problem));
  if (stray !== undefined)
    throw new InputError(`${path}: contains a reflection on "${stray.problem}", which is not in ${data}`);
  return examples;
}
