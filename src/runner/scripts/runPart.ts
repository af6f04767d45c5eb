/** One run of an experiment: a stage from a policy, with evaluations along the way; a killed one is gone on with. */
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { Policy } from "../../policy/policy";
import type { Backend } from "../../tensor/backend";
import type { EvaluationRecord, TrainedStage } from "../../training/records";
import { Session } from "../../training/session";
import type { Settings } from "../../training/settings";
import { UsageError } from "../arguments/usage";
import { openWorkers } from "../backend/replicaThreads";
import { progressBar } from "../run/progress";
import { RunFolder } from "../run/runFolder";
import { planOf, readPlan } from "../run/runPlan";
import { trainStages } from "../run/trainLoop";
import { readEvaluations, writeEvaluations } from "./learningTable";

export interface Part {
  readonly folder: string;
  readonly stage: TrainedStage;
  readonly from: string;
  readonly settings: Settings;
  readonly problems: number;
  readonly every: number;
  readonly workers: number;
}

/** Train one run of the experiment, or the rest of it, with evaluations along the way. */
export async function runPart(
  backend: Backend,
  { folder: path, stage, from, settings, problems, every, workers }: Part,
): Promise<void> {
  const trainable = settings.freezeVision ? "language" : "all";
  const policy = await Policy.load(backend, await openDirectory(from), { trainable });
  const parallel = await openWorkers(policy, workers, trainable);
  const session = new Session(policy, settings, { stage, parallel });
  const plan = planOf({ stages: [stage], saveEvery: 10, policy: from });
  const folder = new RunFolder(path, plan);
  const bar = progressBar(path);
  const evaluations = new Map<number, EvaluationRecord>();
  const note = async (): Promise<void> => {
    evaluations.set(session.step, await session.evaluate(problems));
    await writeEvaluations(path, [...evaluations.values()]);
  };
  try {
    if ((await readPlan(path)) === null) {
      await folder.begin(session);
      await note();
    } else {
      await folder.restore(session);
      for (const record of await readEvaluations(path))
        if (record.step <= session.step) evaluations.set(record.step, record);
    }
    const last = settings[stage].steps;
    await trainStages(session, plan, folder, {
      onData: (collected, wanted) => bar.update(collected, wanted, "reflections"),
      onRefused: (message) => process.stderr.write(`${message}\n`),
      onStep: async ({ step }, planned) => {
        bar.update(step, planned);
        if (step === last || (stage === "grpo" && step % every === 0)) await note();
      },
    });
  } finally {
    bar.stop();
    session.dispose();
    await parallel?.dispose();
    policy.dispose();
  }
}

/** `--seeds 0,1,2`. @throws UsageError naming what is not a whole number */
export function seedsOf(list: string): number[] {
  return list.split(",").map((seed) => {
    if (!/^\d+$/.test(seed)) throw new UsageError(`--seeds: "${seed}" is not a whole number`);
    return Number(seed);
  });
}
