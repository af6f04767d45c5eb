/** What a replica's browser worker runs: the other end of replicaWorkers.ts, on a wasm home of its own. */
import { openWasmHome } from "../tensor/wasm/home";
import { type ReplicaRequest, serveReplica } from "../training/parallel/replicaChannel";

serveReplica(
  {
    post: (message, transfer) => self.postMessage(message, { transfer }),
    listen: (receive) => {
      self.onmessage = ({ data }: MessageEvent<ReplicaRequest>) => receive(data);
    },
  },
  openWasmHome,
);
