/** `train`: reflection SFT and GRPO without the page, from flags or a run file; resumable. */
import { join } from "node:path";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { undrawnFailures } from "../../srpo/failureBuffer";
import { unreachedStages } from "../../srpo/thinkingSuppression";
import { BACKEND_NAMES } from "../../tensor/backend";
import { BOUNDS } from "../../training/bounds";
import { configure } from "../../training/configure";
import { isSection, overlay } from "../../training/overlay";
import { type StepMetrics, TRAINED_STAGES, type TrainedStage } from "../../training/records";
import { Session } from "../../training/session";
import { type Settings, type SettingsPatch, settingsSchema } from "../../training/settings";
import {
  allowNonFiniteFlag,
  backendFlag,
  onErrorFlag,
  policyFlag,
  type RunnerCommand,
  recipeFlag,
  rewardFlag,
  seedFlag,
  setFlag,
  workersFlag,
} from "../arguments/command";
import { type Arguments, oneOf, UsageError } from "../arguments/usage";
import { asInput, openPolicyOn } from "../backend/openPolicy";
import { openWorkers } from "../backend/replicaThreads";
import type { OnError } from "../data/recordFaults";
import { fittingOptions } from "../run/deviceMemory";
import { foldersOf, policyDigest, refuseOtherPolicy } from "../run/policyDigest";
import { progressBar } from "../run/progress";
import { recipeRequest, refuseUnusable, stagesOfRecipe } from "../run/recipeRequest";
import { plannedReward, resolveReward } from "../run/resolveReward";
import { refuseOtherData, resolveSource } from "../run/resolveSource";
import { defaultRunConfig, type RunConfig, readRunFile } from "../run/runConfig";
import { refuseForeign } from "../run/runEntries";
import { RunFolder } from "../run/runFolder";
import { RunLock } from "../run/runLock";
import { fixedKeys, planOf, type RunPlan, readPlan, refuseOther } from "../run/runPlan";
import { onErrorOf, SKIPPED_FILE, SkippedLog } from "../run/skippedLog";
import { StepWarnings } from "../run/stepWarnings";
import { tokensPerSecond } from "../run/tokenRate";
import { trainStages } from "../run/trainLoop";

/** The run file with the flags merged in. */
interface Request {
  /** Complete: defaults, run file, flags. */
  readonly config: RunConfig;
  /** Only what the run file contains; empty without one. */
  readonly given: Readonly<Record<string, unknown>>;
  /** What run file and flags set on top of the recipe. */
  readonly overrides: object;
}

export const trainCommand: RunnerCommand = {
  description: "Train a policy: reflection SFT, then GRPO; writes metrics.jsonl, snapshots and policies",
  flags: {
    config: { type: "string", valueHint: "run.json", description: "Run file (see srpo config); flags override it" },
    out: { type: "string", valueHint: "dir", description: "Folder of the run" },
    policy: policyFlag,
    stage: { type: "string", valueHint: "sft|grpo|sft,grpo", description: "Stages, in order (default: the recipe's)" },
    recipe: recipeFlag,
    steps: { type: "string", valueHint: "n", description: "Steps of the last stage" },
    seed: seedFlag,
    backend: backendFlag,
    workers: workersFlag,
    resume: {
      type: "boolean",
      description: "Continue the run in --out from its last snapshot; --steps, --set and --config change its settings",
    },
    saveEvery: { type: "string", default: "10", valueHint: "n", description: "Steps between snapshots" },
    allowNonFinite: allowNonFiniteFlag,
    reward: rewardFlag,
    onError: onErrorFlag,
    set: setFlag,
  },
  examples: [
    "npm run srpo -- train --out runs/first",
    "npm run srpo -- train --out runs/first --resume --steps 400",
    "npm run srpo -- train --config run.json --recipe grpo --set grpo.learningRate=1e-4",
  ],
  async run(args) {
    const request = await requestOf(args);
    const { out } = request.config;
    if (out === null) throw new UsageError("--out (or the key out in --config) is required: the folder of the run");
    const resume = args.boolean("resume");
    const began = (await readPlan(out)) !== null;
    if (began && !resume)
      throw new UsageError(
        `--out ${out} already contains a run: add --resume to continue it, or choose another folder`,
      );
    if (!began && resume) throw new UsageError(`--resume: ${out} contains no run`);
    if (!began) await refuseForeign(out, "out");
    const lock = await RunLock.take(out);
    try {
      await trainIn(out, request, args);
    } finally {
      await lock.release();
    }
    process.stdout.write(`${out}\n`);
    return 0;
  },
};

/** Start the run in a folder that we have locked, or resume it, and train to the end. */
async function trainIn(out: string, { config, given, overrides }: Request, args: Arguments): Promise<void> {
  const stored = await readPlan(out);
  const named = ["stage", "recipe", "policy"].filter((flag) => args.given(flag) !== null);
  const said = { ...given, ...Object.fromEntries(named.map((flag) => [flag === "stage" ? "stages" : flag, true])) };
  if (stored !== null) refuseOther(stored, fixedKeys(config, said), out);
  const wanted = stored ?? planOf({ ...config, reflectionForm: config.settings.reflectionForm });
  const log = (line: string): void => void process.stderr.write(`${line}\n`);
  const onError = onErrorOf(args, onErrorOfRun(config, given, stored));
  const skipped = await SkippedLog.open(onError, join(out, SKIPPED_FILE), stored !== null, log);
  const { source, digest } = await resolveSource(wanted, skipped.faults);
  if (stored !== null) refuseOtherData(stored, digest, out);
  const reward = await resolveReward(stored, config.rewardFile, out);
  const policyFiles = await policyDigest(foldersOf(wanted), stored?.policyDigest ?? null, log);
  if (stored !== null) refuseOtherPolicy(stored.policyDigest, policyFiles, out);
  const plan = {
    ...wanted,
    allowNonFinite: wanted.allowNonFinite || config.allowNonFinite,
    dataDigest: digest,
    policyDigest: policyFiles,
    reward: plannedReward(reward),
  };
  const withOwnTerms = (settings: Settings): Settings => reward?.addTo(settings) ?? settings;
  const backend = args.given("backend") === null ? plan.backend : args.oneOf("backend", BACKEND_NAMES);
  const opened = await openPolicyOn(
    backend,
    plan.policy,
    await fittingOptions(plan, config.settings, await asInput(plan.policy, openDirectory(plan.policy)), backend),
  );
  // They may have been replaced while they were read.
  refuseOtherPolicy(policyFiles, await policyDigest(foldersOf(plan), policyFiles), out);
  const workers = args.integer("workers", 1, BOUNDS.workers);
  const parallel = await openWorkers(opened.policy, workers, config.settings.freezeVision ? "language" : "all");
  const settings = { ...config.settings, reflectionForm: plan.reflectionForm };
  const session = new Session(opened.policy, withOwnTerms(settings), {
    parallel,
    source,
    ...(reward ? { scorer: reward.scorer } : {}),
  });
  const folder = new RunFolder(out, plan);
  const bar = progressBar("train");
  const warnings = new StepWarnings();
  try {
    if (stored === null) {
      await reward?.copyInto(out);
      await folder.begin(session);
    } else {
      const damaged = await folder.restore(session);
      if (damaged !== null) log(damaged);
      refuseOtherSeed(session.settings, args, out);
      const settings = resumedSettings(session.settings, given, args, plan.stages);
      if (plan.recipe !== null) refuseUnusable(plan.recipe, settings, overrides);
      session.configure(withOwnTerms(settings));
    }
    await skipped.begin();
    const { name, adapter } = opened.backend.description;
    process.stderr.write(
      `${stored === null ? "training from" : "resumed at"} ${session.stage} step ${session.step} on ${name} ` +
        `(${adapter}), ` +
        `${workers === 1 ? "1 worker" : `${workers} workers`}, ` +
        `${opened.policy.parameters.trainableCount} trainable parameters\n`,
    );
    const last = plan.stages.at(-1);
    if (session.stage === last && session.step >= session.settings[last].steps)
      log(
        `${last} step ${session.step} of ${session.settings[last].steps}: no step is left to train; more --steps go on`,
      );
    const { grpo } = session.settings;
    const unreached = plan.stages.includes("grpo") ? unreachedStages(grpo.stages, grpo.steps) : null;
    if (unreached !== null) log(unreached);
    const undrawn = plan.stages.includes("grpo") ? undrawnFailures(grpo.failures, grpo.prompts) : null;
    if (undrawn !== null) log(undrawn);
    await trainStages(session, plan, folder, {
      onData: (collected, wanted) => bar.update(collected, wanted, "reflections"),
      onStep: (metrics, planned, groups) => {
        bar.update(metrics.step, planned, note(metrics));
        warnings.step(metrics, groups).forEach(log);
      },
      onRefused: log,
    });
  } finally {
    bar.stop();
    [...warnings.summary(), ...skipped.summary()].forEach(log);
    session.dispose();
    await parallel?.dispose();
    await opened.close();
  }
}

async function requestOf(args: Arguments): Promise<Request> {
  const file = args.optional("config");
  const { config, given } = file === null ? { config: defaultRunConfig, given: {} } : await readRunFile(file);
  const { recipe, settings, overrides } = recipeRequest(args, config, given);
  const stages =
    args.given("stage") !== null
      ? stagesOf(args.text("stage"))
      : "stages" in given
        ? config.stages
        : stagesOfRecipe(recipe);
  // A resumed run has its own recipe and settings.
  if (!args.boolean("resume")) refuseUnusable(recipe, settings, overrides);
  return {
    given,
    overrides,
    config: {
      ...config,
      stages,
      recipe,
      out: args.given("out") ?? config.out,
      policy: args.given("policy") ?? config.policy,
      allowNonFinite: args.boolean("allowNonFinite") || config.allowNonFinite,
      backend: args.given("backend") === null ? config.backend : args.oneOf("backend", BACKEND_NAMES),
      rewardFile: args.given("reward") ?? config.rewardFile,
      saveEvery: args.given("saveEvery") === null ? config.saveEvery : args.integer("saveEvery", 1),
      settings: configure(settings, stepsPatch(args, stages)),
    },
  };
}

/** What the run file of this command says, else the run's own. */
function onErrorOfRun({ data }: RunConfig, given: Request["given"], stored: RunPlan | null): OnError {
  const said = isSection(given.data) && "onError" in given.data;
  return said || stored === null ? data.onError : stored.data.onError;
}

/** A run's seed decides every draw it has made. @throws UsageError naming both */
function refuseOtherSeed({ seed }: Settings, args: Arguments, out: string): void {
  if (args.given("seed") === null || args.integer("seed", 0) === seed) return;
  throw new UsageError(
    `the run in ${out} started with seed ${seed}, not ${args.text("seed")}: leave --seed out to resume it, or ` +
      "start a new run in another folder",
  );
}

/** The run's own settings, with the run file and the flags of this command merged in. */
function resumedSettings(
  own: Settings,
  given: Request["given"],
  args: Arguments,
  stages: readonly TrainedStage[],
): Settings {
  const said = isSection(given.settings) ? given.settings : {};
  const settings = configure(settingsSchema.parse(overlay(own, said)), args.settings);
  return configure(settings, stepsPatch(args, stages));
}

function stagesOf(text: string): RunConfig["stages"] {
  const [first, second, ...rest] = text.split(",").map((name) => oneOf("--stage", name.trim(), TRAINED_STAGES));
  if (first === "sft" && second === "grpo" && rest.length === 0) return ["sft", "grpo"];
  if (first === undefined || second !== undefined)
    throw new UsageError(`--stage: "${text}" is not one of sft, grpo, sft,grpo`);
  return [first];
}

/** --steps for the last stage, if given. */
function stepsPatch(args: Arguments, stages: readonly TrainedStage[]): SettingsPatch {
  const stage = stages.at(-1);
  if (stage === undefined || args.optional("steps") === null) return {};
  return { [stage]: { steps: args.integer("steps", 1) } };
}

function note({ stage, loss, ...metrics }: StepMetrics): string {
  const percent = (share: number): string => `${Math.round(100 * share)} %`;
  const [first, refined, rate] = [
    metrics["accuracy/first"],
    metrics["accuracy/refined"],
    metrics["time/rollout_tokens_per_second"],
  ];
  if (first === undefined || refined === undefined) return `${stage} loss ${loss?.toFixed(3) ?? ""}`;
  const speed = rate === undefined ? "" : `, ${tokensPerSecond(rate)}`;
  return `${stage} first ${percent(first)} refined ${percent(refined)}${speed}`;
}
