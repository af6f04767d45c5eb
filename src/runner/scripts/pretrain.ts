/**
 * `npm run pretrain`: makes the base policy that the page ships, from nothing, with a fixed seed. Its progress is kept
 * beside the log in `--run`; started again, it goes on from there.
 */
import { join } from "node:path";
import { nanoFiles } from "../../policy/create";
import { Policy } from "../../policy/policy";
import { RESPONSE_TAGS } from "../../srpo/tags";
import { problemAt } from "../../tasks/problems";
import { VOCABULARY } from "../../tasks/vocabulary";
import { evaluate } from "../../training/evaluate";
import type { DataParallel } from "../../training/parallel/parallel";
import { DEFAULT_PRETRAINING, type PretrainingOptions, pretrainingStep } from "../../training/pretraining";
import { defaultSettings } from "../../training/settings";
import { workersFlag } from "../arguments/command";
import { type Arguments, parseArguments, UsageError } from "../arguments/usage";
import { BACKEND_NAMES, openNodeBackend, reportAdapter } from "../backend/nodeBackends";
import { openWorkers } from "../backend/replicaThreads";
import { appendLine, readIfThere, writeAtomically, writeFolder } from "../files/atomicWrite";
import { progressBar } from "../run/progress";
import { packTrainingState, unpackTrainingState } from "./pretrainState";

/** Steps between two saved states, and between two evaluations. */
const SAVE_EVERY = 100;
const EVALUATE_EVERY = 200;
const HELD_OUT = 192;

const FLAGS = {
  out: { type: "string", default: "public/policies/base", description: "Folder to write" },
  run: { type: "string", default: "runs/pretrain", description: "Log and resumable state" },
  seed: { type: "string", default: String(DEFAULT_PRETRAINING.seed), description: "Seed of weights and corpus" },
  cleanSteps: {
    type: "string",
    default: String(DEFAULT_PRETRAINING.cleanSteps),
    description: "Steps on the clean corpus",
  },
  noisySteps: {
    type: "string",
    default: String(DEFAULT_PRETRAINING.noisySteps),
    description: "Steps on the noisy corpus",
  },
  backend: { type: "string", default: "wasm", description: "webgpu, wasm or reference" },
  workers: workersFlag,
} as const;

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
  return `right at T = 1: ${(100 * sampled.accuracyFirst).toFixed(1)} %, greedily: ${(100 * greedy.accuracyFirst).toFixed(1)} %`;
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
  process.stdout.write(`written to ${args.text("out")}\n`);
}

async function main(): Promise<number> {
  const args = parseArguments(process.argv.slice(2), FLAGS);
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
    const parallel = await openWorkers(policy, args.integer("workers", 1), "all");
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

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`pretrain: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof UsageError ? 2 : 1;
});
