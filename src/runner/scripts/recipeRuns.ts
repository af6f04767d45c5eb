/**
 * `npm run recipes`, the runs behind docs/recipes.md: every recipe from the same policy, the shipped one after
 * reflection SFT, with several seeds. Each recipe and seed has its own run folder: killed runs go on, several processes
 * may share the work, and results of earlier runs (--known) stay where a run was not repeated. At the end the table is
 * made from all results.
 */
import { join } from "node:path";
import { z } from "zod";
import { RECIPE_NAMES } from "../../srpo/recipe";
import { BACKEND_NAMES } from "../../tensor/backend";
import { BOUNDS } from "../../training/bounds";
import type { Settings } from "../../training/settings";
import { backendFlag, workersFlag } from "../arguments/command";
import { reportFailure } from "../arguments/failure";
import type { Flags } from "../arguments/flags";
import { helpText } from "../arguments/help";
import { oneOf, parseArguments } from "../arguments/usage";
import { openNodeBackend, reportAdapter } from "../backend/nodeBackends";
import { readIfThere, writeAtomically } from "../files/atomicWrite";
import { InputError } from "../files/inputError";
import { recipeSettings } from "../run/runConfig";
import { type RecipeResult, recipeResultSchema, recipeTables, resultOf } from "./recipeTable";
import { runPart, seedsOf } from "./runPart";

const flags: Flags = {
  out: { type: "string", default: "runs/recipes", valueHint: "dir", description: "Folder of all runs" },
  known: {
    type: "string",
    default: "docs/results/recipes.json",
    valueHint: "file",
    description: "Results of earlier runs; the new ones are added to it",
  },
  policy: {
    type: "string",
    default: "public/policies/sft",
    valueHint: "dir",
    description: "Folder of the policy to start from",
  },
  recipes: {
    type: "string",
    default: RECIPE_NAMES.join(","),
    valueHint: "srpo,grpo",
    description: "Recipes to run",
  },
  seeds: { type: "string", default: "0,1,2", valueHint: "0,1,2", description: "Seeds, one run each" },
  steps: { type: "string", default: "150", valueHint: "n", description: "GRPO steps of each run" },
  problems: { type: "string", default: "192", valueHint: "n", description: "Held-out problems per evaluation" },
  report: { type: "boolean", description: "Only print the tables of the results" },
  backend: backendFlag,
  workers: workersFlag,
};

async function main(rawArgs: readonly string[]): Promise<number> {
  if (rawArgs.includes("--help")) {
    process.stdout.write(
      helpText({
        command: "npm run recipes --",
        description: "Train every recipe from the same policy and print the tables of docs/recipes.md.",
        flags,
        examples: ["npm run recipes -- --recipes gspo --seeds 0", "npm run recipes -- --report"],
      }),
    );
    return 0;
  }
  const args = parseArguments(rawArgs, flags);
  const [out, known] = [args.text("out"), args.text("known")];
  const recipes = args
    .text("recipes")
    .split(",")
    .map((name) => oneOf("--recipes", name, RECIPE_NAMES));
  const seeds = seedsOf(args.text("seeds"));
  const steps = args.integer("steps", 1);
  const runs = seeds.flatMap((seed) => recipes.map((recipe) => ({ recipe, seed })));
  const folderOf = ({ recipe, seed }: (typeof runs)[number]): string => join(out, `seed-${seed}`, recipe);
  if (!args.boolean("report")) {
    const backend = await openNodeBackend(args.oneOf("backend", BACKEND_NAMES));
    reportAdapter(backend);
    try {
      for (const run of runs) {
        await runPart(backend, {
          folder: folderOf(run),
          stage: "grpo",
          from: args.text("policy"),
          settings: budgeted(recipeSettings(run.recipe, { settings: { seed: run.seed } }), steps),
          problems: args.integer("problems", 1),
          every: steps,
          workers: args.integer("workers", 1, BOUNDS.workers),
        });
      }
    } finally {
      await backend.dispose();
    }
  }
  const results: RecipeResult[] = await knownResults(known);
  for (const run of runs) {
    const result = await resultOf(folderOf(run), run.recipe, run.seed);
    if (result === null) continue;
    const at = results.findIndex(({ recipe, seed }) => recipe === run.recipe && seed === run.seed);
    results.splice(at < 0 ? results.length : at, at < 0 ? 0 : 1, result);
  }
  results.sort((a, b) => RECIPE_NAMES.indexOf(a.recipe) - RECIPE_NAMES.indexOf(b.recipe) || a.seed - b.seed);
  await writeAtomically(known, `${JSON.stringify(results, null, 1)}\n`);
  process.stdout.write(recipeTables(results));
  return 0;
}

/** The settings with another number of steps; stages keep their shares of the whole. */
function budgeted(settings: Settings, steps: number): Settings {
  const { grpo } = settings;
  const stages = grpo.stages.map((stage) => ({
    ...stage,
    steps: Math.max(1, Math.round((stage.steps * steps) / grpo.steps)),
  }));
  return { ...settings, grpo: { ...grpo, steps, stages } };
}

/** @throws InputError when the file is damaged */
async function knownResults(file: string): Promise<RecipeResult[]> {
  const bytes = await readIfThere(file);
  if (bytes === null) return [];
  const parsed = z.array(recipeResultSchema).safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!parsed.success) throw new InputError(`${file}: not a list of results; npm run recipes makes a new one`);
  return parsed.data;
}

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => reportFailure("recipes", error));
