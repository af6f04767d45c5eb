/**
 * Replicas of the policy on browser workers, started by the training worker. Used on the wasm backend only: a GPU is
 * shared anyway.
 *
 * One replica where the browser reports at least four processors, none otherwise: of two, one is wanted by the page and
 * by whatever else the machine does. More than one replica gains little with the nano policy's four micro-batches a
 * step.
 */
import {
  RemoteReplica,
  type ReplicaCarrier,
  type ReplicaReply,
  replicaSource,
} from "../training/parallel/replicaChannel";
import type { OpenReplicas } from "./run";

const MIN_PROCESSORS = 4;

/** → none where the policy is better alone. @throws Error when the replica's worker does not start */
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
      worker.onerror = (event) => report(new Error(event.message || "its script could not be loaded."));
      worker.onmessageerror = () => report(new Error("a message could not be read."));
    },
    terminate: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}
