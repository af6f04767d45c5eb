/**
 * Replicas of the policy on browser workers, started by the training worker; on the wasm backend only.
 *
 * One replica if the browser reports at least four processors, else none: of two, the page needs one. More replicas
 * gain little with the nano policy's four micro-batches per step.
 */
import {
  RemoteReplica,
  type ReplicaCarrier,
  type ReplicaReply,
  replicaSource,
} from "../training/parallel/replicaChannel";
import type { OpenReplicas } from "./run";

const MIN_PROCESSORS = 4;

/** → none on machines with few processors. @throws Error when the replica's worker does not start */
export const replicasOnWorkers: OpenReplicas = async (policy, trainable) => {
  if (navigator.hardwareConcurrency < MIN_PROCESSORS) return [];
  return [await RemoteReplica.open(startReplica(), await replicaSource(policy, trainable))];
};

function startReplica(): ReplicaCarrier {
  const worker = new Worker(new URL("./replicaEntry.ts", import.meta.url), { type: "module", name: "srpo-replica" });
  return {
    port: {
      post: (message, transfer) => worker.postMessage(message, transfer),
      listen: (receive) => {
        worker.onmessage = ({ data }: MessageEvent<ReplicaReply>) => receive(data);
      },
    },
    onDeath: (report) => {
      worker.onerror = (event) => report(new Error(event.message || "could not load its script."));
      worker.onmessageerror = () => report(new Error("received an unreadable message."));
    },
    terminate: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}
