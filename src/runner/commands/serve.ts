/** `serve`: train in Node; the page shows and controls the run. */
import { join } from "node:path";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import type { RecipeName } from "../../srpo/recipe";
import { BACKEND_NAMES, type BackendName } from "../../tensor/backend";
import { configure } from "../../training/configure";
import type { ProblemSource } from "../../training/problemSource";
import { STAGES, type Stage } from "../../training/records";
import type { Settings } from "../../training/settings";
import {
  allowNonFiniteFlag,
  onErrorFlag,
  type RunnerCommand,
  recipeFlag,
  rewardFlag,
  seedFlag,
  setFlag,
} from "../arguments/command";
import { type Arguments, UsageError } from "../arguments/usage";
import type { OnError, RecordFaults } from "../data/recordFaults";
import { writeFolder } from "../files/atomicWrite";
import { InputError } from "../files/inputError";
import { foldersOf, policyDigest, refuseOtherPolicy } from "../run/policyDigest";
import { recipeRequest, refuseUnusable } from "../run/recipeRequest";
import { plannedReward, resolveReward } from "../run/resolveReward";
import { refuseOtherData, resolveSource } from "../run/resolveSource";
import { defaultRunConfig, readRunFile } from "../run/runConfig";
import { type FixedKeys, fixedKeys, planOf, type RunPlan, readPlan, refuseOther, writePlan } from "../run/runPlan";
import { onErrorOf, SKIPPED_FILE, SkippedLog } from "../run/skippedLog";
import { putDamagedAside } from "../run/snapshotFiles";
import { StepWarnings } from "../run/stepWarnings";
import { BUILT_PAGE, builtPage } from "../serve/buildPage";
import { BuiltPage } from "../serve/builtPage";
import { newToken, printable } from "../serve/guard";
import { HOST_RUN, Hub } from "../serve/hub";
import { nodeHost } from "../serve/openNodeRun";
import { ServedFolder } from "../serve/servedFolder";
import { serveRun } from "../serve/server";
import { MAX_WAITING } from "../serve/tabLine";

/** Leaves space among the bytes that may wait for a tab, for the names and lengths around an exported policy's. */
const LARGEST_EXPORT = MAX_WAITING - 4 * 2 ** 20;

const log = (line: string): void => void process.stderr.write(`serve: ${printable(line)}\n`);

export const serveCommand: RunnerCommand = {
  description: "Train in Node, shown and controlled by the page; prints the link to open",
  flags: {
    config: { type: "string", valueHint: "run.json", description: "Run file (see srpo config); flags override it" },
    policy: {
      type: "string",
      valueHint: "dir",
      description: `Policy folder (default: that of the run in --run, else ${defaultRunConfig.policy})`,
    },
    run: {
      type: "string",
      valueHint: "dir",
      description: "Folder of the run (default runs/serve); a run that it contains is continued",
    },
    port: { type: "string", default: "0", valueHint: "n", description: "Port on 127.0.0.1; 0 takes a free one" },
    backend: {
      type: "string",
      valueHint: BACKEND_NAMES.join("|"),
      description: "Where the policy runs (default: the first that passes its self-test)",
    },
    stage: {
      type: "string",
      valueHint: STAGES.join("|"),
      description: "First stage of a new run (default base)",
    },
    page: {
      type: "string",
      valueHint: "dir",
      description: `Folder of a built page; by default ${BUILT_PAGE}, built where it is missing`,
    },
    allowNonFinite: allowNonFiniteFlag,
    recipe: recipeFlag,
    seed: seedFlag,
    reward: rewardFlag,
    onError: onErrorFlag,
    set: setFlag,
  },
  examples: [
    "npm run srpo -- serve",
    "npm run srpo -- serve --run runs/mine --backend webgpu",
    "npm run srpo -- serve --recipe dapo --run runs/dapo",
  ],
  async run(args) {
    const port = args.integer("port", 0);
    if (port > 65_535) throw new UsageError(`--port: ${port} is not a port; expected 0 to 65535`);
    const request = await requestOf(args);
    const { run, backend, stage, settings, rewardFile, requested } = request;
    const page = await BuiltPage.open(args.optional("page") ?? builtPage(log));
    const folder = await ServedFolder.take(run, (error) => log(`cannot write the logs: ${error.message}`));
    try {
      const damaged = await putDamagedAside(folder.path);
      if (damaged !== null) log(damaged);
      const resume = await folder.holdsRun();
      if (!resume) refuseUnusable(request.recipe, settings, request.overrides);
      const stored = resume ? await readPlan(folder.path) : null;
      const skipped = await SkippedLog.open(request.onError, join(folder.path, SKIPPED_FILE), resume, log);
      const resolved = await resolveRun(requested, stored, folder.path, skipped.faults);
      const reward = await resolveReward(stored, rewardFile, folder.path);
      const { source } = resolved;
      const policyFiles = await policyDigest(foldersOf(resolved.plan), stored?.policyDigest ?? null, log);
      if (stored !== null) refuseOtherPolicy(stored.policyDigest, policyFiles, folder.path);
      const plan = { ...resolved.plan, policyDigest: policyFiles, reward: plannedReward(reward) };
      if (!resume) await reward?.copyInto(folder.path);
      const files = await openDirectory(plan.policy);
      const hub = new Hub({
        policy: plan.policy,
        data: plan.data.train,
        largestExport: LARGEST_EXPORT,
        command: (command) => host.receive(command),
        write: async (written) => {
          const directory = join(folder.path, "policy");
          await writeFolder(directory, written);
          return directory;
        },
      });
      folder.begin(plan);
      await skipped.begin();
      const warnings = new StepWarnings();
      const host = nodeHost({
        plan,
        unchanged: async () =>
          refuseOtherPolicy(policyFiles, await policyDigest(foldersOf(plan), policyFiles), folder.path),
        source,
        ...(reward ? { scorer: reward.scorer } : {}),
        files,
        store: folder.store,
        onStep: (metrics, groups) => {
          folder.step(metrics, groups);
          warnings.step(metrics, groups).forEach(log);
        },
        post: (event) => {
          hub.post(event);
          folder.follow(event);
          if (event.type === "error" || event.type === "refused" || event.type === "deviceLost") log(event.message);
          if (event.type === "saving" && "message" in event) log(event.message);
        },
      });
      log(`opening ${plan.policy}${resume ? ` to continue the run in ${folder.path}` : ""} …`);
      host.receive({
        run: HOST_RUN,
        type: "open",
        source: { kind: "files", files: [] },
        settings: { ...(reward?.addTo(settings) ?? settings), reflectionForm: plan.reflectionForm },
        backend,
        resume,
      });
      host.receive({ run: HOST_RUN, type: "observe", group: null });
      await host.idle();
      if (hub.runView.opened === null)
        throw new InputError(hub.runView.failed?.message ?? `${plan.policy}: the policy could not be opened`);
      await writePlan(folder.path, { ...plan, backend: hub.runView.opened.backend });
      if (!resume && stage !== "base") host.receive({ run: HOST_RUN, type: "stage", stage });
      if (resume && Object.keys(args.settings).length > 0) {
        if (plan.recipe !== null)
          refuseUnusable(plan.recipe, configure(hub.runView.opened.settings, args.settings), args.settings);
        host.receive({ run: HOST_RUN, type: "configure", settings: args.settings });
      }
      await host.idle();

      const { opened } = hub.runView;
      const server = await serveRun({ page, hub, token: newToken(), port, log });
      log(
        `${opened.backend} (${opened.adapter}), ${opened.stage} step ${hub.runView.opened.step}; ` +
          `saving to ${folder.path}. Open this link; press Ctrl-C to stop`,
      );
      process.stdout.write(`${server.link}\n`);
      await interrupted();
      log("stopping after the current phase …");
      host.receive({ run: HOST_RUN, type: "close" });
      await host.idle();
      await server.close();
      [...warnings.summary(), ...skipped.summary()].forEach(log);
    } finally {
      await folder.release();
    }
    return 0;
  },
};

interface RequestedPlan {
  /** The plan of a new run. */
  readonly plan: RunPlan;
  /** Only what the flags or the run file contain. */
  readonly fixed: Partial<FixedKeys>;
}

interface Request {
  /** The run's folder. */
  readonly run: string;
  /** Null: the first that passes its self-test. */
  readonly backend: BackendName | null;
  readonly stage: Stage;
  readonly settings: Settings;
  readonly recipe: RecipeName;
  /** What run file and flags set on top of the recipe. */
  readonly overrides: object;
  /** Of this command; null: not given. */
  readonly rewardFile: string | null;
  readonly onError: OnError;
  readonly requested: RequestedPlan;
}

async function requestOf(args: Arguments): Promise<Request> {
  const file = args.optional("config");
  const { config, given } = file === null ? { config: defaultRunConfig, given: {} } : await readRunFile(file);
  const policy = args.optional("policy") ?? ("policy" in given ? config.policy : null);
  const backend = args.optional("backend") === null ? null : args.oneOf("backend", BACKEND_NAMES);
  const { recipe, settings, overrides } = recipeRequest(args, config, given);
  return {
    run: args.optional("run") ?? config.out ?? "runs/serve",
    backend: backend ?? ("backend" in given ? config.backend : null),
    stage:
      args.optional("stage") !== null ? args.oneOf("stage", STAGES) : "stages" in given ? config.stages[0] : "base",
    settings,
    recipe,
    overrides,
    rewardFile: args.optional("reward") ?? config.rewardFile,
    onError: onErrorOf(args, config.data.onError),
    requested: {
      plan: planOf({
        ...config,
        allowNonFinite: args.boolean("allowNonFinite") || config.allowNonFinite,
        recipe,
        policy: policy ?? config.policy,
        reflectionForm: settings.reflectionForm,
      }),
      fixed: {
        ...fixedKeys(config, given),
        ...(policy === null ? {} : { policy }),
        ...(args.given("recipe") === null ? {} : { recipe }),
      },
    },
  };
}

/** The stored run, or a new one as requested. @throws UsageError when the two differ */
async function resolveRun(
  { plan, fixed }: RequestedPlan,
  stored: RunPlan | null,
  run: string,
  faults: RecordFaults,
): Promise<{ readonly plan: RunPlan; readonly source: ProblemSource }> {
  if (stored !== null) refuseOther(stored, fixed, run);
  const { source, digest } = await resolveSource(stored ?? plan, faults);
  if (stored === null) return { plan: { ...plan, dataDigest: digest }, source };
  refuseOtherData(stored, digest, run);
  return { plan: { ...stored, allowNonFinite: stored.allowNonFinite || plan.allowNonFinite }, source };
}

/** Resolves at the first Ctrl-C or SIGTERM; the second ends the process immediately, as usual. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
}
