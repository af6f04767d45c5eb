/** What a replica's thread runs: the other end of replicaThreads.ts, on a wasm backend of its own. */
import { parentPort } from "node:worker_threads";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { type ReplicaRequest, serveReplica } from "../../training/parallel/replicaChannel";

if (parentPort === null)
  throw new Error("replicaThread.ts is started as a worker thread by replicaThreads.ts, not by itself.");
const port = parentPort;
serveReplica(
  {
    post: (message, transfer) => port.postMessage(message, transfer),
    listen: (receive) => port.on("message", (message: ReplicaRequest) => receive(message)),
  },
  openWasmBackend,
);
