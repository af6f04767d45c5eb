/**
 * What a run keeps for its whole life, however often it is resumed: `plan.json`. What may change (settings) is in the
 * snapshot.
 */

import { join, resolve } from "node:path";
import { z } from "zod";
import { jsonRefusal } from "../../policy/checkpoint/jsonBounds";
import { RECIPE_NAMES } from "../../srpo/recipe";
import { reflectionFormSchema } from "../../training/reflectionForm";
import { UsageError } from "../arguments/usage";
import { readIfThere, writeAtomically } from "../files/atomicWrite";
import { InputError } from "../files/inputError";
import { policyDigestSchema } from "./policyDigest";
import {
  dataSchema,
  logsSchema,
  loraSchema,
  memorySchema,
  packingSchema,
  type RunConfig,
  recomputeSchema,
  runConfigSchema,
} from "./runConfig";

/** Keys that older runs lack get the values that those runs had. */
const planSchema = z.object({
  stages: runConfigSchema.shape.stages,
  saveEvery: z.int().positive(),
  policy: z.string().min(1),
  packing: packingSchema,
  /** Affects memory only; the results are the same. */
  recompute: recomputeSchema,
  memory: memorySchema,
  /** NaN and infinite weights are loaded as they are. */
  allowNonFinite: z.boolean().default(false),
  backend: runConfigSchema.shape.backend,
  /** Null: an older run, whose recipe is not known. */
  recipe: z.enum(RECIPE_NAMES).nullable().default(null),
  lora: loraSchema.prefault({}),
  data: dataSchema.prefault({}),
  /** Digest of the data set's texts (dataSource.ts); null for the built-in problems. */
  dataDigest: z.string().nullable().default(null),
  /** Digests of the policy's and the adapter's files (policyDigest.ts); null: an older run. */
  policyDigest: policyDigestSchema.nullable().default(null),
  /** File of reward terms and its digest; null: none. A copy of its text is in the run's folder. */
  reward: z
    .object({ file: z.string().min(1), sha256: z.string() })
    .nullable()
    .default(null),
  /** The settings' form of reflection: the instruction below a data set's questions describes it. */
  reflectionForm: reflectionFormSchema.prefault({}),
  logs: logsSchema.prefault({ tensorboard: false, completions: false }),
});

export type RunPlan = z.output<typeof planSchema>;

/** Keys of a run file that a run cannot change. */
export const FIXED_KEYS = ["policy", "packing", "stages", "recipe", "lora", "data"] as const;
export type FixedKeys = Pick<RunPlan, (typeof FIXED_KEYS)[number]>;

/** A complete plan: missing keys get their defaults. */
export function planOf(plan: z.input<typeof planSchema>): RunPlan {
  return planSchema.parse(plan);
}

const pathIn = (folder: string): string => join(folder, "plan.json");

/** The plan of the run in a folder; null if there is no run. @throws InputError when it is damaged */
export async function readPlan(folder: string): Promise<RunPlan | null> {
  const bytes = await readIfThere(pathIn(folder));
  if (bytes === null) return null;
  const parsed = planSchema.safeParse(jsonOrNull(bytes));
  if (!parsed.success) {
    const at = parsed.error.issues[0]?.path.join(".") || "the whole file";
    throw new InputError(
      `${pathIn(folder)}: damaged, or no plan of a run (${at} is invalid): restore the file, or choose another folder`,
    );
  }
  return parsed.data;
}

export async function writePlan(folder: string, plan: RunPlan): Promise<void> {
  await writeAtomically(pathIn(folder), `${JSON.stringify(plan, null, 2)}\n`);
}

/** The fixed keys that a run file contains. */
export function fixedKeys(config: RunConfig, given: object): Partial<FixedKeys> {
  const { policy, packing, stages, recipe, lora, data } = config;
  return {
    ...("policy" in given ? { policy } : {}),
    ...("packing" in given ? { packing } : {}),
    ...("stages" in given ? { stages } : {}),
    ...("recipe" in given ? { recipe } : {}),
    ...("lora" in given ? { lora } : {}),
    ...("data" in given ? { data } : {}),
  };
}

/**
 * A resumed run keeps its original plan.
 * @param requested only what was given
 * @throws UsageError naming a key that differs
 */
export function refuseOther(stored: RunPlan, requested: Partial<FixedKeys>, folder: string): void {
  for (const key of FIXED_KEYS) {
    const [was, wanted] = [fixedPart(stored, key), fixedPart(requested, key)];
    if (requested[key] === undefined || stored[key] === null || wanted === was) continue;
    throw new UsageError(
      `the run in ${folder} started with ${key} ${was}, not ${wanted}: leave ${key} unchanged to resume it, or ` +
        "start a new run in another folder",
    );
  }
}

/** What of a key is fixed: how the data's faults are met may change, and how the policy's folder is spelled. */
function fixedPart(plan: Partial<FixedKeys>, key: keyof FixedKeys): string | undefined {
  const value = plan[key];
  if (key === "policy" && plan.policy !== undefined) return JSON.stringify(resolve(plan.policy));
  if (key !== "data" || plan.data === undefined) return JSON.stringify(value);
  const { onError: _changes, ...data } = plan.data;
  return JSON.stringify(data);
}

/** Null for invalid JSON, which no schema accepts. */
function jsonOrNull(bytes: Uint8Array): unknown {
  if (jsonRefusal(bytes, { depth: 16, values: 10_000 }) !== null) return null;
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
