/**
 * A run file, `srpo train --config run.json`: JSON with any of the keys below; the rest keep their defaults. An unknown
 * key is an error that names the nearest known one, so a mistyped setting never silently keeps its default. Paths are
 * relative to the working directory. runConfigExplained.ts says what each key means.
 */
import { z } from "zod";
import { jsonRefusal } from "../../policy/checkpoint/jsonBounds";
import { LORA_TARGETS } from "../../policy/layers/lora";
import { nanoSettings, RECIPE_NAMES, RECIPES, type RecipeName } from "../../srpo/recipe";
import { BACKEND_NAMES } from "../../tensor/backend";
import { WEIGHT_FORMATS } from "../../tensor/packedWeight";
import { BOUNDS } from "../../training/bounds";
import { isSection, overlay } from "../../training/overlay";
import { TRAINED_STAGES } from "../../training/records";
import { defaultSettings, type Settings, settingsSchema } from "../../training/settings";
import { notJson, readInput } from "../arguments/inputFile";
import { nearestPath } from "../arguments/nearestName";
import { DEFAULT_ON_ERROR, ON_ERROR } from "../data/recordFaults";
import { describeIssue } from "../files/describeIssue";
import { InputError } from "../files/inputError";
import { shortened } from "../files/shortened";

const path = z.string().min(1);
/** Characters of an unknown key that are compared with the known ones. */
const LONGEST_KEY = 200;

const stagesSchema = z.union(
  [z.tuple([z.literal("sft"), z.literal("grpo")]), z.tuple([z.enum(TRAINED_STAGES)])],
  'expected ["sft"], ["grpo"] or ["sft", "grpo"]',
);

export const loraSchema = z.object({
  rank: z.int().nonnegative().max(BOUNDS.loraRank).default(0),
  alpha: z.number().positive().default(32),
  rankStabilised: z.boolean().default(false),
  targets: z
    .array(z.enum(LORA_TARGETS))
    .nonempty()
    .default([...LORA_TARGETS]),
  adapter: path.nullable().default(null),
});

export const packingSchema = z.enum(WEIGHT_FORMATS).default("f32");

export const recomputeSchema = z.enum(["auto", "none", "layers"]).default("auto");
/** A size such as "24GB"; null: unknown. */
export const memorySchema = z
  .string()
  .regex(/^\d+(\.\d+)?\s*(GB|MB|KB)?$/i, 'expected a size such as "24GB"')
  .nullable()
  .default(null);

export const logsSchema = z.object({
  tensorboard: z.boolean().default(true),
  completions: z.boolean().default(true),
});

export const dataSchema = z.object({
  train: path.nullable().default(null),
  heldOut: path.nullable().default(null),
  images: path.nullable().default(null),
  maxPixels: z.int().positive().max(BOUNDS.maxPixels).nullable().default(null),
  instruction: path.nullable().default(null),
  reflections: path.nullable().default(null),
  maxPromptTokens: z.int().positive().nullable().default(null),
  onError: z.enum(ON_ERROR).default(DEFAULT_ON_ERROR),
});

export const runConfigSchema = z.object({
  policy: path.default("public/policies/base"),
  packing: packingSchema,
  recompute: recomputeSchema,
  memory: memorySchema,
  allowNonFinite: z.boolean().default(false),
  out: path.nullable().default(null),
  backend: z.enum(BACKEND_NAMES).default("wasm"),
  stages: stagesSchema.default([...TRAINED_STAGES]),
  recipe: z.enum(RECIPE_NAMES).default("srpo"),
  saveEvery: z.int().positive().default(10),
  rewardFile: path.nullable().default(null),
  lora: loraSchema.prefault({}),
  data: dataSchema.prefault({}),
  logs: logsSchema.prefault({}),
  settings: settingsSchema.prefault({}),
});

export type RunConfig = z.output<typeof runConfigSchema>;

export const defaultRunConfig: RunConfig = runConfigSchema.parse({});

/** Every key of a complete file as a dotted path; a section comes before its keys. */
export function configPaths(section: object = defaultRunConfig, prefix = ""): string[] {
  return Object.entries(section).flatMap(([key, value]: [string, unknown]) => [
    `${prefix}${key}`,
    ...(isSection(value) ? configPaths(value, `${prefix}${key}.`) : []),
  ]);
}

/** Dotted paths of the keys that are null by default. */
function offSections(section: object = defaultRunConfig, prefix = ""): string[] {
  return Object.entries(section).flatMap(([key, value]: [string, unknown]) =>
    value === null ? [`${prefix}${key}`] : isSection(value) ? offSections(value, `${prefix}${key}.`) : [],
  );
}

/** Read and check a run file. → config: complete; given: only the keys in the file. @throws InputError */
export async function readRunFile(
  file: string,
): Promise<{ readonly config: RunConfig; readonly given: Readonly<Record<string, unknown>> }> {
  const text = await readInput(file);
  const refusal = jsonRefusal(text, { depth: 64, values: 100_000 });
  if (refusal !== null) throw new InputError(`${file}: not a run file: ${refusal}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file}: ${notJson(error)}`);
  }
  if (!isSection(json)) throw new InputError(`${file}: not a JSON object; srpo config prints a complete run file`);
  refuseUnknownKeys(json, file);
  // Sections may be given in part, however deep they lie.
  const settings = isSection(json.settings) ? overlay(defaultSettings, json.settings) : json.settings;
  const parsed = runConfigSchema.safeParse({ ...json, ...(settings === undefined ? {} : { settings }) });
  if (parsed.success) return { config: parsed.data, given: json };
  throw new InputError(`${file}: ${describeIssue(parsed.error, json)}; srpo config --explain lists all keys`);
}

/** Dotted paths of a file's keys. @throws InputError when it is nested too deeply to be one */
function pathsIn(json: object, file: string): string[] {
  try {
    return configPaths(json);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`${file}: nested too deeply for a run file`);
    throw error;
  }
}

/** @throws InputError naming the first unknown key and the nearest known one */
export function refuseUnknownKeys(json: object, file: string): void {
  const known = configPaths();
  // What lies under a section that is null by default is checked by its schema.
  const unknown = pathsIn(json, file).find(
    (dotted) => !known.includes(dotted) && !offSections().some((section) => dotted.startsWith(`${section}.`)),
  );
  if (unknown === undefined) return;
  throw new InputError(
    `${file}: unknown key "${shortened(unknown)}"; did you mean ` +
      `"${nearestPath(unknown.slice(0, LONGEST_KEY), known)}"? srpo config --explain lists all keys`,
  );
}

/** The settings of a recipe, with the keys of a run file merged into them. */
export function recipeSettings(recipe: RecipeName, given: Readonly<Record<string, unknown>> = {}): Settings {
  const said = isSection(given.settings) ? given.settings : {};
  return settingsSchema.parse(overlay(overlay(defaultSettings, nanoSettings(RECIPES[recipe])), said));
}
