/**
 * A data set as a session's source of problems. Each stage goes through the set in epochs, shuffled anew for each by
 * the run's seed; a problem is found again by its record's id. Reflection data, if given, is that of `srpo reflect`.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Picture } from "../../tasks/problem";
import { combineSeeds } from "../../tasks/random";
import type { ProblemSource } from "../../training/problemSource";
import { permutation } from "../../training/randomStreams";
import type { Stage } from "../../training/records";
import { type StoredExample, storedExampleSchema } from "../../training/state";
import type { TrainingProblem } from "../../training/trainingProblem";
import { parseLines, readInput } from "../arguments/inputFile";
import { UsageError } from "../arguments/usage";
import { type DataRecords, openDataRecords } from "./dataRecords";
import { decodePicture } from "./pictures";
import { readPrompt } from "./prompts";

/** Where the data of a run lies. */
export interface DataOptions {
  readonly train: string;
  /** Records that are never trained on, for evaluations and single samples. */
  readonly heldOut: string | null;
  /** What image paths are relative to; null: the folder of each file. */
  readonly images: string | null;
  /** Text file that is put below every question; null: ours, which asks for the response format. */
  readonly instruction: string | null;
  /** Reflection data for the first stage. */
  readonly reflections: string | null;
}

/** A stage's order is its own, so that the second does not begin with what the first began with. */
const STAGE_ORDERS: Readonly<Record<Stage, number>> = { base: 11, sft: 12, grpo: 13 };

/** Lines of `srpo reflect`: examples, and records that were passed over, which say why. */
export const reflectionLineSchema = z.union([
  storedExampleSchema,
  z.object({ problem: z.string(), discarded: z.string() }),
]);

export interface OpenedSource {
  readonly source: ProblemSource;
  /** Records to train on. */
  readonly size: number;
  /** Of every text that training reads. Pictures are not in it: reading them all would take as long as an epoch. */
  readonly digest: string;
}

/** @throws UsageError naming file, row and field that is wrong */
export async function openDataSource(options: DataOptions): Promise<OpenedSource> {
  const train = await openDataRecords(options.train, options.images);
  const heldOut = options.heldOut === null ? null : await openDataRecords(options.heldOut, options.images);
  const instruction = await readPrompt("response-format", options.instruction);
  const index = new Map(train.records.map(({ id }, at) => [id, at]));
  const reflections =
    options.reflections === null ? null : await readReflections(options.reflections, index, train.path);
  const held = (): DataRecords => {
    if (heldOut === null) throw new UsageError("the data set has no held-out records; name a file as data.heldOut");
    return heldOut;
  };
  const source: ProblemSource = {
    training(stage, cursor, count, settings) {
      const size = train.records.length;
      const seed = combineSeeds(settings.seed, STAGE_ORDERS[stage]);
      const orders = new Map<number, number[]>();
      return Promise.all(
        Array.from({ length: count }, (_, i) => {
          const place = cursor + i;
          const epoch = Math.floor(place / size);
          const order = orders.get(epoch) ?? permutation(size, seed, epoch);
          orders.set(epoch, order);
          return dataProblem(train, order[place % size] ?? 0, instruction);
        }),
      );
    },
    async heldOut(count) {
      const records = held();
      if (count > records.records.length)
        throw new UsageError(
          `${records.path}: ${count} held-out problems are wanted, it holds ${records.records.length}`,
        );
      return Promise.all(Array.from({ length: count }, (_, i) => dataProblem(records, i, instruction)));
    },
    async requested(count, family) {
      const records = held();
      const places = records.records.flatMap(({ category }, at) =>
        family === null || category === family ? [at] : [],
      );
      const at = places[count % places.length];
      if (at === undefined) throw new UsageError(`${records.path}: no record is of the category "${family}"`);
      return dataProblem(records, at, instruction);
    },
    async problemOf(id) {
      const at = index.get(id);
      if (at === undefined)
        throw new UsageError(
          `${train.path}: there is no record "${id}", which the run has seen; it was begun with other data`,
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

/** The problem of one record, its images decoded. */
export async function dataProblem(data: DataRecords, at: number, instruction: string): Promise<TrainingProblem> {
  const record = data.records[at];
  if (record === undefined) throw new Error(`${data.path}: there is no row ${at}; it holds ${data.records.length}`);
  const pictures: Picture[] = [];
  for (const bytes of await data.images(at)) {
    try {
      pictures.push(await decodePicture(bytes));
    } catch (error) {
      throw new UsageError(
        `${data.path}, record "${record.id}": its image cannot be decoded ` +
          `(${error instanceof Error ? error.message : String(error)})`,
      );
    }
  }
  const [picture, ...morePictures] = pictures;
  if (picture === undefined) throw new UsageError(`${data.path}, record "${record.id}": has no image`);
  return {
    id: record.id,
    family: record.category,
    picture,
    ...(morePictures.length === 0 ? {} : { morePictures }),
    question: instruction === "" ? record.question : `${record.question}\n\n${instruction}`,
    answer: record.answer,
  };
}

async function readReflections(
  path: string,
  known: ReadonlyMap<string, number>,
  data: string,
): Promise<StoredExample[]> {
  const lines = parseLines(path, await readInput("data.reflections", path), reflectionLineSchema);
  const examples = lines.flatMap((line) => ("discarded" in line ? [] : [line]));
  if (examples.length === 0) throw new UsageError(`${path}: holds no reflection; make some with srpo reflect`);
  const stray = examples.find(({ problem }) => !known.has(problem));
  if (stray !== undefined)
    throw new UsageError(`${path}: there is a reflection on "${stray.problem}", which is no record of ${data}`);
  return examples;
}
