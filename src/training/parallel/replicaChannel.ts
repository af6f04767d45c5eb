/**
 * A replica at the other end of a message channel: requests out, replies in, and the end that serves them. Both ends
 * are this file, so messages are typed and not parsed; what carries them (worker threads, browser workers) is the
 * `Port`.
 */
import { InMemoryFiles } from "../../policy/checkpoint/checkpointFiles";
import type { RolloutRow } from "../../policy/policy";
import { Policy } from "../../policy/policy";
import type { Backend } from "../../tensor/backend";
import { copyWith } from "../reference";
import {
  type GradientJob,
  type GradientResult,
  gradientOf,
  type LogprobsJob,
  logprobsOf,
  type Replica,
  type RolloutJob,
} from "./replica";

/** The policy to replicate, as a folder with weights. */
export interface ReplicaSource {
  readonly files: readonly (readonly [path: string, bytes: Uint8Array])[];
  readonly trainable: "all" | "language";
}

type Work =
  | { readonly kind: "open"; readonly source: ReplicaSource }
  | { readonly kind: "load"; readonly theta: Float32Array }
  | { readonly kind: "loadReference"; readonly theta: Float32Array }
  | { readonly kind: "gradient"; readonly job: GradientJob }
  | { readonly kind: "referenceLogprobs"; readonly job: LogprobsJob }
  | { readonly kind: "rollout"; readonly job: RolloutJob };
export type ReplicaRequest = { readonly id: number } & Work;
export type ReplicaReply = { readonly id: number } & (
  | { readonly kind: "done" }
  | { readonly kind: "gradient"; readonly result: GradientResult }
  | { readonly kind: "referenceLogprobs"; readonly logprobs: Float32Array }
  | { readonly kind: "rollout"; readonly rows: RolloutRow[] }
  | { readonly kind: "failed"; readonly message: string }
);
type Answer = ReplicaReply extends infer R ? (R extends ReplicaReply ? Omit<R, "id"> : never) : never;

/** One end of a channel: sends `Out`, hears `In`. Messages are copied but for what is transferred. */
export interface ReplicaPort<Out, In> {
  post(message: Out, transfer: ArrayBuffer[]): void;
  listen(receive: (message: In) => void): void;
}

/** How the carrier starts and ends what is at the other end. */
export interface ReplicaCarrier {
  readonly port: ReplicaPort<ReplicaRequest, ReplicaReply>;
  /** Calls back when the other end is no more, for whatever reason; once is enough. */
  onDeath(report: (error: Error) => void): void;
  terminate(): Promise<void>;
}

export class RemoteReplica implements Replica {
  readonly #waiting = new Map<number, { resolve: (reply: ReplicaReply) => void; reject: (error: Error) => void }>();
  #next = 0;
  #dead: Error | null = null;

  private constructor(private readonly carrier: ReplicaCarrier) {
    carrier.port.listen((reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.kind === "failed") waiting?.reject(new Error(reply.message));
      else waiting?.resolve(reply);
    });
    carrier.onDeath((error) => this.die(error));
  }

  /**
   * Start a replica of `source` at the other end.
   * @throws Error when it cannot be opened there; the other end is ended then
   */
  static async open(carrier: ReplicaCarrier, source: ReplicaSource): Promise<RemoteReplica> {
    const replica = new RemoteReplica(carrier);
    try {
      await replica.ask({ kind: "open", source });
      return replica;
    } catch (error) {
      await replica.dispose();
      throw error;
    }
  }

  async load(theta: Float32Array): Promise<void> {
    await this.ask({ kind: "load", theta }, theta.buffer instanceof ArrayBuffer ? [theta.buffer] : []);
  }

  async gradient(job: GradientJob): Promise<GradientResult> {
    const reply = await this.ask({ kind: "gradient", job });
    if (reply.kind !== "gradient") throw new Error(`The replica answered "${reply.kind}" to a gradient.`);
    return reply.result;
  }

  async loadReference(theta: Float32Array): Promise<void> {
    await this.ask({ kind: "loadReference", theta });
  }

  async referenceLogprobs(job: LogprobsJob): Promise<Float32Array> {
    const reply = await this.ask({ kind: "referenceLogprobs", job });
    if (reply.kind !== "referenceLogprobs")
      throw new Error(`The replica answered "${reply.kind}" to reference log-probabilities.`);
    return reply.logprobs;
  }

  async rollout(job: RolloutJob): Promise<RolloutRow[]> {
    const reply = await this.ask({ kind: "rollout", job });
    if (reply.kind !== "rollout") throw new Error(`The replica answered "${reply.kind}" to a rollout.`);
    return reply.rows;
  }

  async dispose(): Promise<void> {
    this.die(new Error("The replica was ended."));
    await this.carrier.terminate();
  }

  private ask(work: Work, transfer: ArrayBuffer[] = []): Promise<ReplicaReply> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== null) return reject(this.#dead);
      const id = this.#next++;
      this.#waiting.set(id, { resolve, reject });
      this.carrier.port.post({ ...work, id }, transfer);
    });
  }

  private die(error: Error): void {
    this.#dead ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** The other end. Serves requests in order, on its own backend. */
export function serveReplica(
  port: ReplicaPort<ReplicaReply, ReplicaRequest>,
  openBackend: () => Promise<Backend>,
): void {
  let policy: Policy | null = null;
  let reference: Policy | null = null;
  let turn: Promise<void> = Promise.resolve();
  const opened = (): Policy => {
    if (policy === null) throw new Error("The replica is not open yet.");
    return policy;
  };

  async function answer(work: Work): Promise<Answer> {
    switch (work.kind) {
      case "open":
        policy = await Policy.load(await openBackend(), new InMemoryFiles(new Map(work.source.files)), {
          allowNonFinite: true, // a copy of what is open
          trainable: work.source.trainable,
        });
        return { kind: "done" };
      case "load":
        opened().parameters.writeFlat("theta", work.theta);
        return { kind: "done" };
      case "loadReference":
        reference?.dispose();
        reference = await copyWith(opened(), work.theta);
        return { kind: "done" };
      case "referenceLogprobs":
        if (reference === null) throw new Error("The replica has no reference policy yet.");
        return { kind: "referenceLogprobs", logprobs: await logprobsOf(reference, work.job, null) };
      case "gradient":
        return { kind: "gradient", result: await gradientOf(opened(), work.job, null) };
      case "rollout":
        return { kind: "rollout", rows: (await opened().generate(work.job.prompts, work.job.options)).rows };
      default:
        return work satisfies never;
    }
  }

  port.listen((request) => {
    turn = turn.then(async () => {
      try {
        const reply = await answer(request);
        port.post(
          { ...reply, id: request.id },
          reply.kind === "gradient" && reply.result.gradient.buffer instanceof ArrayBuffer
            ? [reply.result.gradient.buffer]
            : [],
        );
      } catch (error) {
        port.post(
          { id: request.id, kind: "failed", message: error instanceof Error ? error.message : String(error) },
          [],
        );
      }
    });
  });
}

/**
 * What a replica of this policy is opened from.
 * @throws Error for a policy with an adapter: its folder holds the base alone
 */
export async function replicaSource(policy: Policy, trainable: "all" | "language"): Promise<ReplicaSource> {
  if (policy.model.lora !== null)
    throw new Error("A policy with a LoRA adapter cannot be replicated: train it with one worker.");
  return { files: [...(await policy.toFiles())], trainable };
}
