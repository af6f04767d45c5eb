/**
 * A reward file, `--reward my-reward.ts`: terms of one's own as functions, for what the expressions of the reward
 * language cannot say. Its values are facts of a response, computed once when it is scored; each term of the file is a
 * custom term with the expression `file.NAME`. So its weight can be moved, its group scored again and its number
 * explained, as with any other term, also on a page that cannot run the file.
 *
 * The file is code of the user's and runs with the user's rights: nothing here keeps it from files or the network.
 */
import { createHash } from "node:crypto";
import { join, parse, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { types } from "node:util";
import { Worker } from "node:worker_threads";
import { z } from "zod";
import { MAX_TERMS, nameFault } from "../../srpo/language/customTerms";
import type { RewardFacts } from "../../srpo/language/rewardFacts";
import { type MeasureTerms, scoreResponse } from "../../srpo/score";
import type { CustomTerm } from "../../srpo/types";
import { configure } from "../../training/configure";
import type { Scorer } from "../../training/score";
import type { Settings } from "../../training/settings";
import { readInput } from "../arguments/inputFile";
import { UsageError } from "../arguments/usage";
import { writeAtomically } from "../files/atomicWrite";
import { InputError } from "../files/inputError";
import { callWithin } from "./timeLimit";

/** What a reward file exports by default, alone or in a list. */
export interface RewardTerm {
  /** Letters, digits and underscores. */
  readonly name: string;
  /** Factor on the value; 1 by default. */
  readonly weight?: number;
  /** A finite number for one response, from its facts alone. What throws, or gives NaN, leaves it without a score. */
  readonly term: (facts: RewardFacts) => number;
}

/** Milliseconds that one term may take for one response. */
export const TERM_LIMIT = 1000;

/** Milliseconds that the file may take to load. */
const IMPORT_LIMIT = 10_000;

const termSchema = z.strictObject({
  name: z.string().superRefine((name, context) => {
    const fault = nameFault(name);
    if (fault !== null) context.addIssue({ code: "custom", message: fault });
  }),
  weight: z.number().min(-100).max(100).default(1),
  term: z.custom<(facts: RewardFacts) => unknown>((value) => typeof value === "function", "expected a function"),
});
type ReadTerm = z.output<typeof termSchema>;

const termsSchema = z
  .array(termSchema)
  .min(1, "expected at least one term")
  .max(MAX_TERMS, `at most ${MAX_TERMS} terms`)
  .refine((terms) => new Set(terms.map(({ name }) => name)).size === terms.length, "two terms have the same name");

export class RewardFile {
  readonly sha256: string;

  private constructor(
    readonly path: string,
    private readonly text: string,
    private readonly terms: readonly ReadTerm[],
  ) {
    this.sha256 = createHash("sha256").update(text).digest("hex");
  }

  /** @throws InputError naming the file and what is wrong in it */
  static async open(path: string): Promise<RewardFile> {
    const text = await readInput(path);
    const address = pathToFileURL(resolve(path)).href;
    if (!(await importEnds(address)))
      throw new InputError(
        `${path}: loading it took longer than ${IMPORT_LIMIT / 1000} s; is there a loop, or something that is waited ` +
          "for, outside of its terms?",
      );
    let exported: unknown;
    try {
      const module: { readonly default?: unknown } = await import(/* @vite-ignore */ address);
      exported = module.default;
    } catch (error) {
      throw new InputError(`${path}: cannot be loaded (${firstLine(error)})`);
    }
    if (exported === undefined)
      throw new InputError(`${path}: no default export; expected export default { name, term(facts) { … } }`);
    const parsed = termsSchema.safeParse(Array.isArray(exported) ? exported : [exported]);
    if (parsed.success) return new RewardFile(path, text, parsed.data);
    const issue = parsed.error.issues[0];
    throw new InputError(
      `${path}: default export: ${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}; expected ` +
        "{ name, weight?, term(facts) } or a list of them",
    );
  }

  /** Scores as the method does, with the file's values among the facts. */
  get scorer(): Scorer {
    const measure = this.measure;
    return (text, answer, config, countTokens, form) =>
      scoreResponse(text, answer, config, countTokens, form, undefined, measure);
  }

  /** The values of all terms for one response. */
  readonly measure: MeasureTerms = (facts) => {
    const frozen = frozenFacts(facts);
    return Object.fromEntries(this.terms.map(({ name, term }) => [name, this.valueOf(term, frozen)]));
  };

  /**
   * The settings with the file's terms among their own; one that is there already keeps its weight.
   * @throws UsageError when another term has the name of one of them
   */
  addTo(settings: Settings): Settings {
    const known = settings.reward.customTerms;
    const missing = this.terms.flatMap(({ name, weight }): CustomTerm[] => {
      const expression = `file.${name}`;
      const same = known.find((each) => each.name === name);
      if (same === undefined) return [{ name, expression, weight }];
      if (same.expression === expression) return [];
      throw new UsageError(
        `${this.path}: the settings have another term "${name}", ${JSON.stringify(same.expression)}: rename one of ` +
          "them",
      );
    });
    return configure(settings, { reward: { customTerms: [...known, ...missing] } });
  }

  /** Copy the file's text into the folder of a run, as `reward.ts` or with its own ending. */
  async copyInto(folder: string): Promise<void> {
    await writeAtomically(join(folder, copyName(this.path)), this.text);
  }

  private valueOf(term: ReadTerm["term"], facts: RewardFacts): number | { readonly error: string } {
    try {
      const value = callWithin(TERM_LIMIT, () => term(facts));
      if (typeof value === "number" && Number.isFinite(value)) return value;
      // A promise that is rejected with nobody listening would end the process.
      if (types.isPromise(value)) value.catch(() => undefined);
      return { error: `${this.path} gave ${described(value)}; expected a finite number` };
    } catch (error) {
      return { error: `${this.path} threw ${firstLine(error)}` };
    }
  }
}

/**
 * Imports the file in a thread of its own first: a loop at its top would stop this thread for good. → does it end?
 */
async function importEnds(address: string): Promise<boolean> {
  const thread = new Worker(new URL("rewardThread.mjs", import.meta.url), { workerData: address, execArgv: [] });
  try {
    return await new Promise<boolean>((resolve) => {
      const limit = setTimeout(() => resolve(false), IMPORT_LIMIT);
      const ended = (): void => {
        clearTimeout(limit);
        resolve(true);
      };
      // A file that throws or exits ends too; the import that follows says why.
      thread.once("message", ended).once("error", ended).once("exit", ended);
    });
  } finally {
    await thread.terminate();
  }
}

/** The name of a reward file's copy in the folder of a run. */
export function copyName(path: string): string {
  return `reward${parse(path).ext}`;
}

function frozenFacts(facts: RewardFacts): RewardFacts {
  return Object.freeze({
    ...facts,
    first: Object.freeze({ ...facts.first }),
    reflection: Object.freeze({ ...facts.reflection }),
    refined: Object.freeze({ ...facts.refined }),
  });
}

function described(value: unknown): string {
  if (value === null || typeof value === "number" || typeof value === "boolean" || value === undefined)
    return String(value);
  return value instanceof Promise ? "a Promise" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function firstLine(error: unknown): string {
  // Anything can be thrown, also what cannot be made a text.
  const thrown = typeof error === "string" ? error : described(error);
  return (error instanceof Error ? `${error.name}: ${error.message}` : thrown).split("\n")[0] ?? "";
}
