/**
 * What a replica of the policy does for a step computed in parallel: the gradient of one micro-batch, and the rollout
 * of some of the prompts. Both are functions of the weights and the job alone, so it does not matter who computes them.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { EncodedPrompt, FeatureBank } from "../../policy/layers/packing";
import type { GenerateOptions, Policy, RolloutRow } from "../../policy/policy";
import { DisposalScope } from "../disposalScope";
import { type Loss, lossOf } from "../loss";
import { type MicroBatch, tokenCount } from "../microBatch";
import { backwardMicroBatch, responseLogprobs } from "../optimiserStep";

export interface GradientJob {
  readonly rows: MicroBatch;
  readonly loss: Loss;
  /** Temperature the log-probabilities are taken at (above 0). */
  readonly temperature: number;
  readonly trainVision: boolean;
  /** Give the log-probabilities back too: the old ones of later epochs. */
  readonly keepLogprobs: boolean;
}

/** Of one micro-batch. */
export interface GradientResult {
  /** Laid out as `ParameterState`; weights of the rows are those of the whole step, so that gradients add up. */
  readonly gradient: Float32Array;
  readonly stats: Float32Array;
  readonly logprobs: Float32Array | null;
}

export interface RolloutJob {
  readonly prompts: readonly EncodedPrompt[];
  /** `rowIds` are those of the whole rollout: the draws do not depend on who makes them. */
  readonly options: Omit<GenerateOptions, "onToken" | "rowIds"> & { readonly rowIds: Int32Array };
}

export interface LogprobsJob {
  readonly rows: MicroBatch;
  readonly temperature: number;
}

/** A copy of the policy with its own backend, here or elsewhere. Calls are done in order. */
export interface Replica {
  /**
   * Take over the weights, laid out as `ParameterState`; later jobs use them. The array is given away: its memory may
   * go to the other end.
   */
  load(theta: Float32Array): Promise<void>;
  gradient(job: GradientJob): Promise<GradientResult>;
  /** Take over the reference policy's weights, laid out in the same way. */
  loadReference(theta: Float32Array): Promise<void>;
  /** Log-probabilities of the rows' tokens under the reference policy [R]. */
  referenceLogprobs(job: LogprobsJob): Promise<Float32Array>;
  /** Rows count the job's prompts from 0. */
  rollout(job: RolloutJob): Promise<RolloutRow[]>;
  dispose(): Promise<void>;
}

/**
 * @param features bank that holds the rows' prompts, where there is one already; made here otherwise while the tower is
 * frozen
 */
export async function gradientOf(
  policy: Policy,
  job: GradientJob,
  features: FeatureBank | null,
): Promise<GradientResult> {
  const { rows, loss, temperature, trainVision, keepLogprobs } = job;
  const scope = new DisposalScope();
  try {
    policy.parameters.zeroGrad();
    const kept: Tensor[] = [];
    const stats = scope.own(
      backwardMicroBatch(
        policy,
        rows,
        0,
        { temperature, trainVision, features },
        lossOf(policy.backend, loss),
        keepLogprobs ? { scope, logprobs: kept } : null,
      ),
    );
    const gradient = await policy.parameters.readFlat("grad");
    const [sums, logprobs] = await policy.backend.read([stats, ...kept]);
    return {
      gradient,
      stats: Float32Array.from(sums ?? []),
      logprobs: logprobs === undefined ? null : Float32Array.from(logprobs.subarray(0, tokenCount(rows))),
    };
  } finally {
    scope.dispose();
  }
}

/** @param features as `gradientOf` takes them */
export async function logprobsOf(
  reference: Policy,
  { rows, temperature }: LogprobsJob,
  features: FeatureBank | null,
): Promise<Float32Array> {
  const scope = new DisposalScope();
  try {
    const [values] = await reference.backend.read(
      responseLogprobs(reference, [rows], { temperature, features }, scope),
    );
    return Float32Array.from(values?.subarray(0, tokenCount(rows)) ?? []); // without padding
  } finally {
    scope.dispose();
  }
}
