/** Entry of a replica's thread, started by replicaThreads.ts; it opens its own wasm backend. */
import { parentPort } from "node:worker_threads";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { type ReplicaRequest, serveReplica } from "../../training/parallel/replicaChannel";

if (parentPort === null) throw new Error("replicaThread.ts must run in a worker thread; replicaThreads.ts starts it.");
const port = parentPort;
serveReplica(
  {
    post: (message, transfer) => port.postMessage(message, transfer),
    listen: (receive) => port.on("message", (message: ReplicaRequest) => receive(message)),
  },
  openWasmBackend,
);
