/**
 * `npm run pretrain`: train the base policy that the page ships, from random weights and a fixed seed. Log and
 * resumable state are in `--run`; run it again to resume.
 */
import { join } from "node:path";
import { nanoFiles } from "../../policy/create";
import { Policy } from "../../policy/policy";
import { RESPONSE_TAGS } from "../../srpo/tags";
import { problemAt } from "../../tasks/problems";
import { VOCABULARY } from "../../tasks/vocabulary";
import { BACKEND_NAMES } from "../../tensor/backend";
import { BOUNDS } from "../../training/bounds";
import { evaluate } from "../../training/evaluate";
import type { DataParallel } from "../../training/parallel/parallel";
import { DEFAULT_PRETRAINING, type PretrainingOptions, pretrainingStep } from "../../training/pretraining";
import { defaultSettings } from "../../training/settings";
import { backendFlag, workersFlag } from "../arguments/command";
import type { Flags } from "../arguments/flags";
import { runScript } from "../arguments/script";
import type { Arguments } from "../arguments/usage";
import { openNodeBackend, reportAdapter } from "../backend/nodeBackends";
import { openWorkers } from "../backend/replicaThreads";
import { appendLine, readIfThere, writeAtomically, writeFolder } from "../files/atomicWrite";
import { progressBar } from "../run/progress";
import { packTrainingState, unpackTrainingState } from "./pretrainState";

/** Steps between saved states, and between evaluations. */
const SAVE_EVERY = 100;
const EVALUATE_EVERY = 200;
const HELD_OUT = 192;

const FLAGS: Flags = {
  out: { type: "string", default: "public/policies/base", valueHint: "dir", description: "Policy folder to write" },
  run: {
    type: "string",
    default: "runs/pretrain",
    valueHint: "dir",
    description: "Folder of the log and the resumable state",
  },
  seed: {
    type: "string",
    default: String(DEFAULT_PRETRAINING.seed),
    valueHint: "n",
    description: "Seed of weights and corpus",
  },
  cleanSteps: {
    type: "string",
    default: String(DEFAULT_PRETRAINING.cleanSteps),
    valueHint: "n",
    description: "Steps on the clean corpus",
  },
  noisySteps: {
    type: "string",
    default: String(DEFAULT_PRETRAINING.noisySteps),
    valueHint: "n",
    description: "Steps on the noisy corpus",
  },
  backend: backendFlag,
  workers: workersFlag,
};

async function evaluateBase(
  policy: Policy,
  parallel: DataParallel | null,
  step: number,
  seed: number,
  log: string,
): Promise<string> {
  const problems = Array.from({ length: HELD_OUT }, (_, i) => problemAt("eval", i));
  const settings = { ...defaultSettings, seed };
  const sampled = await evaluate(policy, problems, settings, { step, stage: "base" }, { parallel });
  const greedy = await evaluate(policy, problems, settings, { step, stage: "base" }, { greedy: true, parallel });
  await appendLine(log, {
    step,
    sampled: { first: sampled.accuracyFirst, ...sampled.byFamily },
    greedy: { first: greedy.accuracyFirst, ...greedy.byFamily },
  });
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return `right at T = 1: ${percent(sampled.accuracyFirst)}, greedy: ${percent(greedy.accuracyFirst)}`;
}

async function train(
  policy: Policy,
  parallel: DataParallel | null,
  args: Arguments,
  options: PretrainingOptions,
): Promise<void> {
  const folder = args.text("run");
  const log = join(folder, "pretrain.jsonl");
  const statePath = join(folder, "state.safetensors");
  const total = options.cleanSteps + options.noisySteps;
  let step = 0;
  const saved = await readIfThere(statePath);
  if (saved !== null) {
    const { step: done, state } = unpackTrainingState(saved, options);
    policy.parameters.restore(state);
    step = done;
  }
  const bar = progressBar("pretrain");
  try {
    while (step < total) {
      const started = performance.now();
      const { loss, gradNorm, tokens, learningRate, phase } = await pretrainingStep(policy, step, options, parallel);
      step++;
      await appendLine(log, {
        step,
        phase,
        loss,
        grad_norm: gradNorm,
        learning_rate: learningRate,
        step_tokens: tokens,
        step_time: (performance.now() - started) / 1000,
      });
      bar.update(step, total, `${phase}, loss ${loss.toFixed(3)}`);
      if (step % SAVE_EVERY === 0)
        await writeAtomically(statePath, packTrainingState(step, await policy.parameters.state(), options));
      if (step % EVALUATE_EVERY === 0 && step < total)
        bar.update(step, total, await evaluateBase(policy, parallel, step, options.seed, log));
    }
  } finally {
    bar.stop();
  }
  process.stdout.write(`step ${total}: ${await evaluateBase(policy, parallel, total, options.seed, log)}\n`);
  await writeFolder(args.text("out"), await policy.toFiles());
  process.stdout.write(`${args.text("out")}\n`);
}

async function pretrain(args: Arguments): Promise<number> {
  const options: PretrainingOptions = {
    ...DEFAULT_PRETRAINING,
    seed: args.integer("seed", 0),
    cleanSteps: args.integer("cleanSteps", 1),
    noisySteps: args.integer("noisySteps", 0),
  };
  const backend = await openNodeBackend(args.oneOf("backend", BACKEND_NAMES));
  reportAdapter(backend);
  try {
    const policy = await Policy.create(backend, nanoFiles([...RESPONSE_TAGS, ...VOCABULARY]), { seed: options.seed });
    const parallel = await openWorkers(policy, args.integer("workers", 1, BOUNDS.workers), "all");
    try {
      await train(policy, parallel, args, options);
    } finally {
      await parallel?.dispose();
    }
  } finally {
    await backend.dispose();
  }
  return 0;
}

await runScript({
  name: "pretrain",
  description: "Train the base policy that the page ships; run it again to resume.",
  flags: FLAGS,
  examples: ["npm run pretrain -- --workers 4"],
  run: pretrain,
});
