/**
 * `npm run experiment`, the learning runs behind docs/learning.md: for each seed, reflection SFT from the shipped base,
 * then GRPO under each arm (the full reward, and with terms removed), evaluated on held-out problems along the way.
 * Each seed and arm has its own run folder: a killed experiment resumes, and several processes may share the work by
 * seed. At the end the table is made from all results in --out.
 */
import { join } from "node:path";
import { BACKEND_NAMES } from "../../tensor/backend";
import { BOUNDS } from "../../training/bounds";
import { configure } from "../../training/configure";
import type { Settings } from "../../training/settings";
import { backendFlag, policyFlag, setFlag, workersFlag } from "../arguments/command";
import type { Flags } from "../arguments/flags";
import { runScript } from "../arguments/script";
import { settingsOf } from "../arguments/settingsArguments";
import { type Arguments, oneOf } from "../arguments/usage";
import { openNodeBackend, reportAdapter } from "../backend/nodeBackends";
import { writeAtomically } from "../files/atomicWrite";
import { collectResults, learningTable } from "./learningTable";
import { runPart, seedsOf } from "./runPart";

/** What each arm changes in the reward. */
export const ARMS: Readonly<Record<string, Partial<Settings["reward"]>>> = {
  full: {},
  "no-ieff": { effectivenessWeight: 0 },
  "no-flen": { lengthWeight: 0 },
  "task-only": { effectivenessWeight: 0, reflectionFormatWeight: 0, lengthWeight: 0 },
};

const flags: Flags = {
  out: { type: "string", default: "runs/experiment", valueHint: "dir", description: "Folder of all runs" },
  policy: policyFlag,
  seeds: { type: "string", default: "0,1,2", valueHint: "0,1,2", description: "Seeds, one run each" },
  arms: {
    type: "string",
    default: "full,no-ieff",
    valueHint: Object.keys(ARMS).join(","),
    description: "Arms of the GRPO stage",
  },
  problems: { type: "string", default: "192", valueHint: "n", description: "Held-out problems per evaluation" },
  every: { type: "string", default: "25", valueHint: "n", description: "GRPO steps between evaluations" },
  report: { type: "boolean", description: "Only print the table of the results in --out" },
  backend: backendFlag,
  workers: workersFlag,
  set: setFlag,
};

async function experiment(args: Arguments): Promise<number> {
  const out = args.text("out");
  const seeds = seedsOf(args.text("seeds"));
  const arms = args
    .text("arms")
    .split(",")
    .map((arm) => oneOf("--arms", arm, Object.keys(ARMS)));
  const problems = args.integer("problems", 1);
  const every = args.integer("every", 1);
  const workers = args.integer("workers", 1, BOUNDS.workers);
  const base = settingsOf(args);
  if (!args.boolean("report")) {
    const backend = await openNodeBackend(args.oneOf("backend", BACKEND_NAMES));
    reportAdapter(backend);
    try {
      for (const seed of seeds) {
        const settings = { ...base, seed };
        const sft = join(out, `seed-${seed}`, "sft");
        await runPart(backend, {
          folder: sft,
          stage: "sft",
          from: args.text("policy"),
          settings,
          problems,
          every,
          workers,
        });
        for (const arm of arms) {
          const armed = configure(settings, { reward: ARMS[arm] ?? {} });
          await runPart(backend, {
            folder: join(out, `seed-${seed}`, arm),
            stage: "grpo",
            from: join(sft, "sft"),
            settings: armed,
            problems,
            every,
            workers,
          });
        }
      }
    } finally {
      await backend.dispose();
    }
  }
  const results = await collectResults(out, Object.keys(ARMS));
  await writeAtomically(join(out, "learning.json"), `${JSON.stringify(results, null, 1)}\n`);
  await writeAtomically(join(out, "learning.md"), learningTable(results));
  process.stdout.write(learningTable(results));
  return 0;
}

await runScript({
  name: "experiment",
  description: "Run the learning experiments of docs/learning.md and print their table.",
  flags,
  examples: ["npm run experiment -- --seeds 0 --arms full", "npm run experiment -- --report"],
  run: experiment,
});
