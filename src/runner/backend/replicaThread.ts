/** What a replica's thread runs: the other end of replicaThreads.ts, on a wasm home of its own. */
import { parentPort } from "node:worker_threads";
import { openWasmHome } from "../../tensor/wasm/home";
import { type ReplicaRequest, serveReplica } from "../../training/parallel/replicaChannel";

if (parentPort === null)
  throw new Error("replicaThread.ts is started as a worker thread by replicaThreads.ts, not by itself.");
const port = parentPort;
serveReplica(
  {
    post: (message, transfer) => port.postMessage(message, transfer),
    listen: (receive) => port.on("message", (message: ReplicaRequest) => receive(message)),
  },
  openWasmHome,
);
