/**
 * Data parallelism: the micro-batches of an update and the prompts of a rollout are dealt to the policy and to replicas
 * of it, each on a backend of its own. This file decides who computes what; how a replica is reached (threads, browser
 * workers) is up to the carrier (replicaChannel.ts and its users).
 *
 * The result does not depend on how many there are, bit for bit: every micro-batch's gradient is made alone, from zero,
 * and the gradients are summed on the host in the order of the micro-batches; a response's tokens depend on its row id
 * and prompt only. A replica that fails costs time and nothing else: it is left out from then on, and its jobs run
 * here.
 *
 * One AdamW, on the policy itself; replicas get the new weights before their next job.
 */
import type { EncodedPrompt, FeatureBank } from "../../policy/layers/packing";
import type { GenerateOptions, Policy, RolloutRow } from "../../policy/policy";
import type { Loss } from "../loss";
import { type MicroBatch, packItems } from "../microBatch";
import { applyGradient, finiteStep, type StepOptions, type StepResult } from "../optimiserStep";
import type { ReferencePolicy } from "../reference";
import {
  type GradientJob,
  type GradientResult,
  gradientOf,
  type LogprobsJob,
  logprobsOf,
  type Replica,
} from "./replica";

export interface DataParallelOptions {
  /** Called when a replica is dropped, with the reason. */
  readonly onLost?: (message: string) => void;
}

export class DataParallel {
  #replicas: readonly Replica[];
  /** Version of the weights that each replica has. */
  readonly #loaded = new Map<Replica, number>();
  /** Reference weights that each replica has. */
  readonly #referenceLoaded = new Map<Replica, Float32Array>();

  /** @param replicas of `policy`, with the same trainable parameters; disposed with this */
  constructor(
    readonly policy: Policy,
    replicas: readonly Replica[],
    private readonly options: DataParallelOptions = {},
  ) {
    this.#replicas = replicas;
  }

  /** How many compute: the policy's own backend and the replicas that are left. */
  get workers(): number {
    return 1 + this.#replicas.length;
  }

  /** Gradients of micro-batches, in order. @param features of all their prompts, on the policy's own backend */
  gradients(jobs: readonly GradientJob[], features: FeatureBank | null): Promise<GradientResult[]> {
    return this.spread(
      deal(jobs.map(costOf), this.workers),
      jobs,
      (replica, job) => replica.gradient(job),
      (job) => gradientOf(this.policy, job, features),
    );
  }

  /** Log-probabilities of micro-batches under the reference policy, in order. @param features as above */
  referenceLogprobs(
    reference: ReferencePolicy,
    jobs: readonly LogprobsJob[],
    features: FeatureBank | null,
  ): Promise<Float32Array[]> {
    const { policy, theta } = reference;
    if (theta === null)
      throw new Error("A reference that is the policy itself without its adapter is not shared among workers.");
    for (const replica of this.#replicas) {
      if (this.#referenceLoaded.get(replica) === theta) continue;
      this.#referenceLoaded.set(replica, theta);
      replica.loadReference(theta).catch((error: unknown) => this.giveUp(replica, error));
    }
    return this.spread(
      deal(jobs.map(costOf), this.workers),
      jobs,
      (replica, job) => replica.referenceLogprobs(job),
      (job) => logprobsOf(policy, job, features),
    );
  }

  /** Sample as `Policy.generate` does. → rows prompt-major */
  async rollout(
    prompts: readonly EncodedPrompt[],
    options: Omit<GenerateOptions, "onToken" | "rowIds">,
    features: FeatureBank | null,
  ): Promise<RolloutRow[]> {
    const count = Math.min(this.workers, prompts.length);
    const starts = Array.from({ length: count + 1 }, (_, i) => Math.round((i * prompts.length) / count));
    const jobs = starts.slice(0, -1).map((start, i) => {
      const share = prompts.slice(start, starts[i + 1]);
      return {
        prompts: share,
        options: {
          ...options,
          rowIds: Int32Array.from(
            { length: share.length * options.groupSize },
            (_, row) => start * options.groupSize + row,
          ),
        },
      };
    });
    const dealt = await this.spread(
      jobs.map((_, i) => i),
      jobs,
      (replica, job) => replica.rollout(job),
      async (job) => (await this.policy.generate(job.prompts, job.options, features)).rows,
    );
    return dealt.flatMap((rows, i) => rows.map((row) => ({ ...row, prompt: row.prompt + (starts[i] ?? 0) })));
  }

  async dispose(): Promise<void> {
    const replicas = this.#replicas;
    this.#replicas = [];
    await Promise.all(replicas.map((replica) => replica.dispose()));
  }

  /** Do every job where it was dealt: 0 is the policy itself, i > 0 a replica. The replicas' are sent off first. */
  private async spread<Job, Result>(
    places: readonly number[],
    jobs: readonly Job[],
    remote: (replica: Replica, job: Job) => Promise<Result>,
    here: (job: Job) => Promise<Result>,
  ): Promise<Result[]> {
    const replicas = this.#replicas;
    await this.bringUpToDate();
    const sent = jobs.map((job, i) => {
      const replica = replicas[(places[i] ?? 0) - 1];
      return replica === undefined ? null : remote(replica, job).catch((error: unknown) => this.giveUp(replica, error));
    });
    const results = new Map<number, Result>();
    for (const [i, job] of jobs.entries()) if (sent[i] === null) results.set(i, await here(job));
    for (const [i, pending] of sent.entries()) {
      const result = await pending;
      if (result !== null) results.set(i, result);
    }
    const all: Result[] = [];
    for (const [i, job] of jobs.entries()) all.push(results.get(i) ?? (await here(job)));
    return all;
  }

  /** Send the weights to replicas whose copy is older. Jobs sent afterwards are done afterwards. */
  private async bringUpToDate(): Promise<void> {
    const { version } = this.policy.parameters;
    const old = this.#replicas.filter((replica) => this.#loaded.get(replica) !== version);
    if (old.length === 0) return;
    const theta = await this.policy.parameters.readFlat("theta");
    for (const [i, replica] of old.entries()) {
      this.#loaded.set(replica, version);
      replica.load(i < old.length - 1 ? theta.slice() : theta).catch((error: unknown) => this.giveUp(replica, error));
    }
  }

  private giveUp(replica: Replica, error: unknown): null {
    if (this.#replicas.includes(replica)) {
      this.#replicas = this.#replicas.filter((other) => other !== replica);
      const why = error instanceof Error ? error.message : String(error);
      this.options.onLost?.(
        `A worker stopped computing: ${why} Its work is repeated here, with the same result; training continues ` +
          `with ${this.workers === 1 ? "one worker" : `${this.workers} workers`}.`,
      );
      replica.dispose().catch(() => undefined); // it is gone either way
    }
    return null;
  }
}

/** Tokens that go through the model: responses, and each prompt once. */
function costOf({ rows }: { readonly rows: MicroBatch }): number {
  return packItems(rows).reduce(
    (sum, { prompt, responses }) =>
      responses.reduce((tokens, response) => tokens + response.length, sum + prompt.ids.length),
    0,
  );
}

/** Longest job first, each to who has least to do so far. → place of every job */
export function deal(costs: readonly number[], workers: number): number[] {
  const load = new Array<number>(workers).fill(0);
  const places = new Array<number>(costs.length).fill(0);
  const order = costs.map((_, i) => i).sort((a, b) => (costs[b] ?? 0) - (costs[a] ?? 0) || a - b);
  for (const job of order) {
    const place = load.indexOf(Math.min(...load));
    places[job] = place;
    load[place] = (load[place] ?? 0) + (costs[job] ?? 0);
  }
  return places;
}

/**
 * A function of its own, called often enough to be compiled well: the same loop in its caller took three times as long.
 */
function addInto(total: Float32Array, values: Float32Array): void {
  for (let i = 0; i < total.length; i++) total[i] = (total[i] ?? 0) + (values[i] ?? 0);
}

/**
 * An optimiser step over micro-batches computed in parallel: `optimiserStep` but for the order in which gradients are
 * summed.
 * @throws StepRefused
 */
export async function parallelStep(
  parallel: DataParallel,
  batches: readonly MicroBatch[],
  options: StepOptions,
  lossOf: (index: number) => Loss,
  keepLogprobs = false,
): Promise<StepResult> {
  const { parameters, backend } = parallel.policy;
  const { temperature, trainVision, features } = options;
  const results = await parallel.gradients(
    batches.map((rows, i) => ({ rows, loss: lossOf(i), temperature, trainVision, keepLogprobs })),
    features,
  );
  const [total = new Float32Array(parameters.trainableCount), ...others] = results.map(({ gradient }) => gradient);
  for (const gradient of others) addInto(total, gradient);
  parameters.writeFlat("grad", total);
  const { gradSquares, refused } = applyGradient(parallel.policy, options);
  try {
    const [squares, mark] = await backend.read([gradSquares, refused]);
    const losses = results.map(({ stats }) => stats);
    return {
      ...finiteStep(losses, { squares, refused: mark }, options),
      logprobs: results.map(({ logprobs }) => logprobs),
    };
  } finally {
    gradSquares.dispose();
    refused.dispose();
  }
}
