/** Our training step as the session runs it: packing on the host, forward, backward, clip and AdamW, one read-back. */
import { Policy } from "../../policy/policy";
import { openWorkers } from "../../runner/backend/replicaThreads";
import type { Backend } from "../../tensor/backend";
import type { TrainingRow } from "../../training/microBatch";
import { sftUpdate, type UpdateResult } from "../../training/update";
import type { Contender } from "../contender";
import type { DecoderShape, JobOf } from "../job";
import { CHECKED_STEPS, decoderFolder, decoderWeights, OPTIMISER, randomTokens } from "../workload";
import { measured } from "./measured";

/** A policy with the workload's weights. */
export async function workloadPolicy(
  backend: Backend,
  shape: DecoderShape,
  trainable: "language" | "none",
): Promise<Policy> {
  const policy = await Policy.create(backend, decoderFolder(shape), { seed: 0, trainable });
  for (const [name, { values }] of decoderWeights(shape, 0)) policy.parameters.write(name, values);
  return policy;
}

/**
 * Each sequence as a prompt of two tokens and its response: the rows of the packed batch are all tokens except the
 * last.
 */
export function trainingRows(policy: Policy, { shape, rows, length }: JobOf<"train">): TrainingRow[] {
  const tokens = randomTokens(shape, rows, length + 1, 0);
  return Array.from({ length: rows }, (_, row) => {
    const sequence = tokens.slice(row * (length + 1), (row + 1) * (length + 1));
    return {
      prompt: policy.model.encode(sequence.slice(0, 2), []),
      tokens: sequence.slice(2),
      weight: 1 / (rows * (length - 1)),
      advantage: 1,
    };
  });
}

export async function openTraining(backend: Backend, job: JobOf<"train">): Promise<Contender> {
  const policy = await workloadPolicy(backend, job.shape, "language");
  const rows = trainingRows(policy, job);
  const parallel = await openWorkers(policy, job.workers, "language");
  let updates = 0;
  const step = (): Promise<UpdateResult> =>
    sftUpdate(policy, rows, {
      temperature: 1,
      trainVision: false,
      features: null,
      learningRate: OPTIMISER.learningRate,
      weightDecay: OPTIMISER.weightDecay,
      maxGradNorm: OPTIMISER.maxGradNorm,
      microBatchRows: job.microBatchRows,
      updates: updates++,
      parallel,
    });
  return {
    async check() {
      const numbers: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) {
        const { loss, gradNorm } = await step();
        numbers.push(loss, gradNorm);
      }
      return numbers;
    },
    run: (units) => measured(backend, units, step),
    async close() {
      await parallel?.dispose();
      policy.dispose();
    },
  };
}
