/** Reflection data made by `srpo reflect`, for the SFT stage: each line an example, or the reason why there is none. */
import { z } from "zod";
import type { GivenReflections } from "../../training/problemSource";
import { shuffledStream } from "../../training/randomStreams";
import type { ReflectionExample } from "../../training/records";
import { type StoredExample, storedExampleSchema } from "../../training/state";
import { UnusableProblemError, UnusableResponseError } from "../../training/unusableProblem";
import { parseRow, readInput, readLines } from "../arguments/inputFile";
import { InputError } from "../files/inputError";
import { shortened } from "../files/shortened";
import { withinLimit } from "./promptLimit";
import { type RecordFaults, type RecordPlace, UnusableRecordError } from "./recordFaults";
import { takeUsable, usableOrFault } from "./takeUsable";

/** A record without an example. */
export const discardedSchema = z.object({ problem: z.string(), discarded: z.string() });

export interface ReadReflections {
  readonly examples: readonly StoredExample[];
  readonly places: readonly RecordPlace[];
}

/** A line with an example, or why it has none that can be used. */
export interface ReflectionLineRead {
  readonly place: RecordPlace;
  readonly read: { readonly value: StoredExample } | { readonly fault: string };
}

/**
 * The lines of the file but for those of records without an example.
 * @param known by id the data set's usable records
 * @param data its file, for messages
 * @throws InputError when the file cannot be read
 */
export async function readReflectionLines(
  path: string,
  known: ReadonlyMap<string, unknown>,
  data: string,
): Promise<ReflectionLineRead[]> {
  const lines = readLines(await readInput(path), z.unknown());
  return lines.flatMap((line, row): ReflectionLineRead[] => {
    const place = { file: path, row, line: line.line };
    const read = "fault" in line ? line : exampleOf(line.value);
    if (read === null) return [];
    if ("fault" in read) return [{ place, read: { fault: read.fault } }];
    const fault = faultOf(read.value, known, data);
    return [{ place: { ...place, id: read.value.problem }, read: fault === null ? read : { fault } }];
  });
}

/** @throws InputError when the file cannot be read or has no example that can be used */
export async function readReflections(
  path: string,
  known: ReadonlyMap<string, unknown>,
  data: string,
  faults: RecordFaults,
): Promise<ReadReflections> {
  const examples: StoredExample[] = [];
  const places: RecordPlace[] = [];
  let first: string | null = null;
  for (const { place, read } of await readReflectionLines(path, known, data)) {
    if ("value" in read) {
      examples.push(read.value);
      places.push(place);
      continue;
    }
    first ??= `line ${place.line}: ${read.fault}`;
    faults.found({ ...place, reason: read.fault });
  }
  if (examples.length > 0) return { examples, places };
  const why = first === null ? "" : ` that can be used (${first})`;
  throw new InputError(`${path}: contains no reflections${why}; make some with srpo reflect`);
}

/** Null for a record without an example. */
function exampleOf(row: unknown): { readonly value: StoredExample } | { readonly fault: string } | null {
  return discardedSchema.safeParse(row).success ? null : parseRow(row, storedExampleSchema);
}

/** A tag inside a text would end its block: the policy would learn something else than was written. */
const TAG = /<\/?(?:think|answer|reflection)>/;

function faultOf(example: StoredExample, known: ReadonlyMap<string, unknown>, data: string): string | null {
  if (!known.has(example.problem))
    return `a reflection on "${shortened(example.problem)}", which is not in ${data} or cannot be used there`;
  const { firstSolution, reflection, refinedSolution, laterRounds = [] } = example;
  const rounds = [{ reflection, solution: refinedSolution }, ...laterRounds];
  const texts = [
    firstSolution.think,
    firstSolution.answer,
    ...rounds.flatMap((round) => [round.reflection, round.solution.think, round.solution.answer]),
  ];
  const tag = texts.map((text) => TAG.exec(text)?.[0]).find((found) => found !== undefined);
  return tag === undefined ? null : `one of its texts holds the tag ${tag}, which would end a block of the response`;
}

/**
 * @param problemOf the problem of an example; throws UnusableRecordError
 * @param problemFault why the record of an example cannot be used
 */
export function givenReflections(
  path: string,
  { examples, places }: ReadReflections,
  problemOf: (id: string) => Promise<ReflectionExample["problem"]>,
  problemFault: (id: string, error: UnusableProblemError) => UnusableRecordError,
  faults: RecordFaults,
  maxPromptTokens: number | null,
): GivenReflections {
  const right = examples.filter(({ firstRight }) => firstRight).length;
  return {
    right,
    wrong: examples.length - right,
    take(cursor, count, settings, check) {
      const placeAt = shuffledStream(examples.length, settings.seed);
      const loaded = new Map<number, Promise<ReflectionExample | UnusableRecordError>>();
      const load = async (index: number): Promise<ReflectionExample> => {
        const [stored, place] = [examples[index], places[index]];
        if (stored === undefined || place === undefined) throw new Error(`${path}: there is no example ${index}`);
        const example = { ...stored, problem: await problemOf(stored.problem) };
        try {
          withinLimit(check(example), maxPromptTokens);
        } catch (error) {
          if (!(error instanceof UnusableProblemError)) throw error;
          throw error instanceof UnusableResponseError
            ? new UnusableRecordError({ ...place, reason: error.message })
            : problemFault(stored.problem, error);
        }
        return example;
      };
      const stream = {
        path,
        size: examples.length,
        load(position: number) {
          const index = placeAt(position);
          const loading = loaded.get(index) ?? usableOrFault(load(index));
          loaded.set(index, loading);
          return loading;
        },
      };
      return takeUsable(stream, cursor, count, faults);
    },
  };
}
