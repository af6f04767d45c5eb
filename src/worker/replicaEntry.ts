/** What a replica's browser worker runs: the other end of replicaWorkers.ts, on a wasm backend of its own. */
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
