/** Entry of a replica's browser worker, started by replicaWorkers.ts; it opens its own wasm backend. */
import { openWasmBackend } from "../tensor/wasm/backend";
import { type ReplicaRequest, serveReplica } from "../training/parallel/replicaChannel";

serveReplica(
  {
    post: (message, transfer) => self.postMessage(message, { transfer }),
    listen: (receive) => {
      self.onmessage = ({ data }: MessageEvent<ReplicaRequest>) => receive(data);
    },
  },
  openWasmBackend,
);
