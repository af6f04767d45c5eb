/** Replicas of a policy on Node's worker threads, for `--workers`. */
import { Worker } from "node:worker_threads";
import type { Policy } from "../../policy/policy";
import { DataParallel } from "../../training/parallel/parallel";
import {
  RemoteReplica,
  type ReplicaCarrier,
  type ReplicaReply,
  replicaSource,
} from "../../training/parallel/replicaChannel";
import { UsageError } from "../arguments/usage";

/**
 * The policy with `workers − 1` replicas; null for one worker, which starts no thread.
 * @throws UsageError when the policy cannot be trained with several workers
 */
export async function openWorkers(
  policy: Policy,
  workers: number,
  trainable: "all" | "language",
): Promise<DataParallel | null> {
  if (workers === 1) return null;
  if (policy.backend.name !== "wasm")
    throw new UsageError(
      `--workers ${workers}: only the wasm backend uses several threads, not ${policy.backend.name}: ` +
        "choose --backend wasm or --workers 1",
    );
  if (policy.model.lora !== null)
    throw new UsageError(`--workers ${workers}: a LoRA adapter is trained with one worker: choose --workers 1`);
  const source = await replicaSource(policy, trainable);
  const replicas = await Promise.all(
    Array.from({ length: workers - 1 }, () => RemoteReplica.open(startThread(), source)),
  );
  return new DataParallel(policy, replicas, { onLost: (message) => process.stderr.write(`${message}\n`) });
}

/** A thread that runs a replica, and the channel to it. */
export function startThread(): ReplicaCarrier {
  const worker = new Worker(new URL("replicaThread.mjs", import.meta.url), { execArgv: [] });
  return {
    port: {
      post: (message, transfer) => worker.postMessage(message, transfer),
      listen: (receive) => worker.on("message", (reply: ReplicaReply) => receive(reply)),
    },
    onDeath: (report) => {
      worker.on("error", (error) => report(error));
      worker.on("exit", (code) => report(new Error(`its thread exited with code ${code}.`)));
    },
    terminate: async () => {
      await worker.terminate();
    },
  };
}
