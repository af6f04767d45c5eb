/**
 * What a run is, fixed over its life however often it is resumed, by whichever command: `plan.json` in its folder. What
 * may change on the way (settings) is in the snapshot.
 */
import { join } from "node:path";
import { z } from "zod";
import { UsageError } from "../arguments/usage";
import { readIfThere, writeAtomically } from "../files/atomicWrite";
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

/** Keys that older runs lack have the values that those runs had. */
const planSchema = z.object({
  stages: runConfigSchema.shape.stages,
  saveEvery: z.int().positive(),
  policy: z.string().min(1),
  packing: packingSchema,
  /** Memory only, the results are the same. */
  recompute: recomputeSchema,
  memory: memorySchema,
  backend: runConfigSchema.shape.backend,
  lora: loraSchema.prefault({}),
  data: dataSchema.prefault({}),
  /** Digest of the data set's texts (dataSource.ts); null with the built-in problems. */
  dataDigest: z.string().nullable().default(null),
  logs: logsSchema.prefault({ tensorboard: false, completions: false }),
});

export type RunPlan = z.output<typeof planSchema>;

/** Keys of a run file that a run keeps from its beginning. */
export const FIXED_KEYS = ["policy", "packing", "stages", "lora", "data"] as const;
export type FixedKeys = Pick<RunPlan, (typeof FIXED_KEYS)[number]>;

/** A plan with the defaults of what is left out. */
export function planOf(plan: z.input<typeof planSchema>): RunPlan {
  return planSchema.parse(plan);
}

const pathIn = (folder: string): string => join(folder, "plan.json");

/** The plan of the run in a folder; null where no run has begun. @throws UsageError when it cannot be read */
export async function readPlan(folder: string): Promise<RunPlan | null> {
  const bytes = await readIfThere(pathIn(folder));
  if (bytes === null) return null;
  const parsed = planSchema.safeParse(jsonOrNull(bytes));
  if (!parsed.success)
    throw new UsageError(
      `${pathIn(folder)}: not the plan of a run (${parsed.error.issues[0]?.path.join(".") || "it"} is not as ` +
        "expected); remove the folder or choose another",
    );
  return parsed.data;
}

export async function writePlan(folder: string, plan: RunPlan): Promise<void> {
  await writeAtomically(pathIn(folder), `${JSON.stringify(plan, null, 2)}\n`);
}

/** What a run file says about the keys that a run keeps; what it leaves open is left open. */
export function fixedKeys(config: RunConfig, given: object): Partial<FixedKeys> {
  const { policy, packing, stages, lora, data } = config;
  return {
    ...("policy" in given ? { policy } : {}),
    ...("packing" in given ? { packing } : {}),
    ...("stages" in given ? { stages } : {}),
    ...("lora" in given ? { lora } : {}),
    ...("data" in given ? { data } : {}),
  };
}

/**
 * A run goes on as what it is. @param asked only what was said @throws UsageError naming the key that says otherwise
 */
export function refuseOther(stored: RunPlan, asked: Partial<FixedKeys>, folder: string): void {
  for (const key of FIXED_KEYS) {
    if (asked[key] !== undefined && JSON.stringify(asked[key]) !== JSON.stringify(stored[key])) {
      throw new UsageError(
        `the run in ${folder} was begun with ${key} ${JSON.stringify(stored[key])}, not ` +
          `${JSON.stringify(asked[key])}; leave ${key} as it was to go on with the run, or begin another in another ` +
          "folder",
      );
    }
  }
}

/** Null for what is no JSON: no schema takes it. */
function jsonOrNull(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
