/** `train`: reflection SFT and GRPO without a page, resumable. */
import { configure } from "../../training/configure";
import { Session } from "../../training/session";
import type { Settings, SettingsPatch } from "../../training/settings";
import { homeFlag, policyFlag, seedFlag, setFlag, type RunnerCommand } from "../command";
import { openPolicy } from "../openPolicy";
import { settingsOf } from "../settingsArguments";
import { progressBar } from "../progress";
import { RunFolder, trainStages, type TrainedStage } from "../trainLoop";
import { oneOf, UsageError, type Arguments } from "../usage";

const STAGES: readonly TrainedStage[] = ["sft", "grpo"];
const RECIPES = ["srpo", "grpo"] as const;

/** Plain GRPO is SRPO's loop on the task reward alone: format and first answer. */
const RECIPE_REWARD: Readonly<Record<(typeof RECIPES)[number], Partial<Settings["reward"]>>> = {
  srpo: {},
  grpo: { effectivenessWeight: 0, reflectionFormatWeight: 0, lengthWeight: 0 },
};

export const trainCommand: RunnerCommand = {
  description: "Train a policy: reflection SFT, then GRPO; writes metrics.jsonl, snapshots and the policies",
  flags: {
    out: { type: "string", required: true, valueHint: "dir", description: "Folder of the run" },
    policy: policyFlag,
    stage: { type: "string", default: "sft,grpo", valueHint: "sft|grpo|sft,grpo", description: "Stages, in order" },
    recipe: { type: "string", default: "srpo", valueHint: "srpo|grpo", description: "SRPO's whole reward, or the task reward alone" },
    steps: { type: "string", valueHint: "n", description: "Steps of the stage (with several stages: of the last)" },
    seed: seedFlag,
    home: homeFlag,
    resume: { type: "boolean", description: "Go on with the run in --out from its last snapshot, under its own settings but for --steps and --set" },
    saveEvery: { type: "string", default: "10", valueHint: "n", description: "Steps between snapshots" },
    set: setFlag,
  },
  async run(args) {
    const folder = new RunFolder(args.text("out"));
    const stored = await folder.plan();
    const resume = args.boolean("resume");
    if (stored !== null && !resume) throw new UsageError(`--out ${folder.path} holds a run already; give --resume to go on with it, or another folder`);
    if (stored === null && resume) throw new UsageError(`--resume: there is no run in ${folder.path}`);
    const plan = stored ?? { stages: stagesOf(args), saveEvery: args.integer("saveEvery", 1), policy: args.text("policy") };
    const settings = trainSettings(args, plan.stages);
    const opened = await openPolicy(args, plan.policy, settings.freezeVision ? "language" : "all");
    const session = new Session(opened.policy, settings);
    const bar = progressBar("train");
    try {
      if (stored === null) {
        await folder.begin(plan, session);
      } else {
        await folder.restore(session);
        session.configure(stepsPatch(args, plan.stages, args.settings));
      }
      process.stderr.write(`${resume ? "resumed at" : "training from"} ${session.stage} step ${session.step} on ${opened.home.description.name} (${opened.home.description.adapter}), ${opened.policy.parameters.trainableCount} trainable parameters\n`);
      await trainStages(session, plan, folder, {
        onData: (collected, wanted) => bar.update(collected, wanted, "reflections"),
        onStep: (metrics, planned) => bar.update(metrics.step, planned, note(metrics.stage, metrics.loss, metrics["accuracy/first"], metrics["accuracy/refined"])),
        onRefused: (message) => process.stderr.write(`${message}\n`),
      });
    } finally {
      bar.stop();
      session.dispose();
      await opened.close();
    }
    process.stdout.write(`${folder.path}\n`);
    return 0;
  },
};

function stagesOf(args: Arguments): [TrainedStage, ...TrainedStage[]] {
  const [first, ...rest] = args.text("stage").split(",").map((name) => oneOf("stage", name.trim(), STAGES));
  if (first === undefined || (first === "grpo" && rest.length > 0) || rest.length > 1) throw new UsageError(`--stage: "${args.text("stage")}" is none of sft, grpo, sft,grpo`);
  return [first, ...rest];
}

function trainSettings(args: Arguments, stages: readonly TrainedStage[]): Settings {
  const settings = settingsOf(args);
  const recipe = args.oneOf("recipe", RECIPES);
  return configure({ ...settings, reward: { ...settings.reward, ...RECIPE_REWARD[recipe] } }, stepsPatch(args, stages, {}));
}

/** `patch` with --steps for the last stage, if given. */
function stepsPatch(args: Arguments, stages: readonly TrainedStage[], patch: SettingsPatch): SettingsPatch {
  const stage = stages.at(-1);
  if (stage === undefined || args.optional("steps") === null) return patch;
  return { ...patch, [stage]: { ...patch[stage], steps: args.integer("steps", 1) } };
}

function note(stage: string, loss: number | undefined, first: number | undefined, refined: number | undefined): string {
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  if (first === undefined || refined === undefined) return `${stage} loss ${loss?.toFixed(3) ?? ""}`;
  return `${stage} first ${percent(first)} refined ${percent(refined)}`;
}
