/**
 * The passes of a policy update, each one optimiser update over a minibatch: on the policy's own backend, or with the
 * micro-batches dealt to replicas. Old log-probabilities are plain arrays on the host in both, one a micro-batch.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Policy } from "../policy/policy";
import type { PolicyLossOptions } from "../tensor/policyLossOptions";
import type { DisposalScope } from "./disposalScope";
import { type FixedLogprobs, ofSampler, policyLoss, sftLoss, uploaded } from "./loss";
import { type MicroBatch, recordedLogprobs, tokenCount } from "./microBatch";
import { optimiserStep, responseLogprobs, type StepOptions, type StepResult } from "./optimiserStep";
import { type DataParallel, parallelStep } from "./parallel/parallel";
import type { ReferencePolicy } from "./reference";

/** Old log-probabilities [R] of each micro-batch of a pass; null: those of the pass's own forward, so that ρ is 1. */
export type OldLogprobs = readonly (Float32Array | null)[];

export interface Passes {
  /**
   * @param minibatch which of the minibatches
   * @param keep give the log-probabilities back
   */
  run(minibatch: number, options: StepOptions, old: OldLogprobs, keep: boolean): Promise<StepResult>;
}

/** Is this micro-batch trained by likelihood alone? Its rows are all of one kind. */
export function isLikelihood([first]: MicroBatch): boolean {
  return first?.loss === "likelihood";
}

/** Log-probabilities of the micro-batches under the policy as it is. One read-back. */
export async function currentLogprobs(
  policy: Policy,
  batches: readonly MicroBatch[],
  options: Pick<StepOptions, "temperature" | "features" | "largest">,
  scope: DisposalScope,
): Promise<Float32Array[]> {
  const read = await policy.backend.read(responseLogprobs(policy, batches, options, scope));
  return read.map((values, i) => Float32Array.from(values.subarray(0, tokenCount(batches[i] ?? []))));
}

/** @param scope owns the reference's log-probabilities, which are made once */
export function ownPasses(
  policy: Policy,
  minibatches: readonly (readonly MicroBatch[])[],
  reference: ReferencePolicy | null,
  loss: PolicyLossOptions,
  options: StepOptions,
  scope: DisposalScope,
): Passes {
  const { backend } = policy;
  const references: readonly (readonly Tensor[])[] =
    reference === null
      ? []
      : minibatches.map((batches) =>
          responseLogprobs(reference.policy, batches, { ...options, adapter: reference.adapter }, scope),
        );
  return {
    run(minibatch, stepOptions, old, keep) {
      const batches = minibatches[minibatch] ?? [];
      const sampled = ofSampler(backend, batches);
      return optimiserStep(
        policy,
        batches,
        stepOptions,
        (index) => {
          if (isLikelihood(batches[index] ?? [])) return sftLoss(backend);
          const fixed = references[minibatch]?.[index];
          const referenceLogprobs: FixedLogprobs = fixed === undefined ? sampled : () => fixed;
          return policyLoss(backend, loss, uploaded(backend, old[index] ?? null), referenceLogprobs);
        },
        keep,
      );
    },
  };
}

/** The same over replicas: log-probabilities travel as plain arrays. */
export async function parallelPasses(
  parallel: DataParallel,
  minibatches: readonly (readonly MicroBatch[])[],
  reference: ReferencePolicy | null,
  loss: PolicyLossOptions,
  options: StepOptions,
): Promise<Passes> {
  const { temperature, features } = options;
  const references: Float32Array[][] = [];
  if (reference !== null)
    for (const batches of minibatches)
      references.push(
        await parallel.referenceLogprobs(
          reference,
          batches.map((rows) => ({ rows, temperature })),
          features,
        ),
      );
  return {
    run(minibatch, stepOptions, old, keep) {
      const batches = minibatches[minibatch] ?? [];
      const sampled = ofSampler(parallel.policy.backend, batches) !== null;
      return parallelStep(
        parallel,
        batches,
        stepOptions,
        (index) => {
          const rows = batches[index] ?? [];
          if (isLikelihood(rows)) return { kind: "likelihood" };
          return {
            kind: "policy",
            options: loss,
            old: old[index] ?? null,
            reference:
              references[minibatch]?.[index] ?? (sampled ? recordedLogprobs(rows, tokenCount(rows), "sampled") : null),
          };
        },
        keep,
      );
    },
  };
}
