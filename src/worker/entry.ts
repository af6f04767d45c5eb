/** The worker's entry: joins a host to the message port, the best backend, IndexedDB and the page's own server. */
import { type CheckpointFiles, InMemoryFiles, UrlFiles } from "../policy/checkpoint/checkpointFiles";
import { openBestBackend } from "../tensor/open";
import { Host } from "./host";
import { requestedMatmul, tuningStore } from "./matmulVariant";
import type { Event, PolicySource } from "./protocol";
import { replicasOnWorkers } from "./replicaWorkers";
import type { OpenBackend } from "./run";
import { IndexedDbStore, MemoryStore, type SnapshotStore } from "./store";

/** Address of the page that opened the run; it may name a matmul variant. */
let address = self.location.href;

const openBackend: OpenBackend = async (wanted, onProgress) => {
  const matmul = requestedMatmul(address);
  let mark = performance.now();
  let deviceTime = 0;
  const { backend, passedOver, times } = await openBestBackend({
    ...(wanted === null ? {} : { prefer: wanted, only: true }),
    webgpu: {
      ...(matmul === null ? {} : { matmul }),
      tuning: { store: tuningStore(store), environment: navigator.userAgent },
    },
    onProgress: ({ stage }) => {
      const now = performance.now();
      if (stage === "opening") onProgress("device", 0, 1);
      if (stage === "testing") {
        deviceTime = now - mark;
        onProgress("device", 1, 1);
        onProgress("selfTest", 0, 1);
      }
      if (stage === "ready") onProgress("selfTest", 1, 1);
      mark = now;
    },
  });
  return { backend, passedOver, deviceTime, times };
};

function filesOf(source: PolicySource, base: string | undefined): CheckpointFiles {
  address = base ?? self.location.href;
  switch (source.kind) {
    case "shipped":
      return new UrlFiles(new URL(`policies/${source.name}/`, base ?? self.location.href).href);
    case "files":
      return new InMemoryFiles(new Map(source.files.map(({ path, bytes }) => [path, new Uint8Array(bytes)])));
    default:
      return source satisfies never;
  }
}

/** Private windows may forbid IndexedDB; then the run lasts as long as the tab. */
async function openStore(): Promise<{ readonly store: SnapshotStore; readonly refused: string | null }> {
  try {
    return { store: await IndexedDbStore.open(), refused: null };
  } catch (error) {
    return { store: new MemoryStore(), refused: error instanceof Error ? error.message : String(error) };
  }
}

/** 0 lets waiting messages in first, by a message to ourselves: hidden tabs delay timers, not messages. */
function sleep(ms: number): Promise<void> {
  if (ms > 0) return new Promise((resolve) => setTimeout(resolve, ms));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

const send = (event: Event, transfer: Transferable[]): void => self.postMessage(event, { transfer });
const waiting: unknown[] = [];
self.onmessage = ({ data }: MessageEvent<unknown>) => void waiting.push(data);
const { store, refused } = await openStore();
let reported = refused === null;
const host = new Host({
  openBackend,
  openReplicas: replicasOnWorkers,
  filesOf,
  store,
  sleep,
  now: () => performance.now(),
  post: (event, transfer) => {
    send(event, transfer);
    if (reported || event.type !== "opened") return;
    reported = true;
    send(
      {
        run: event.run,
        type: "error",
        fatal: false,
        message: `This browser does not store data for this page (${refused ?? ""}). Closing the tab loses the run.`,
      },
      [],
    );
  },
});
self.onmessage = ({ data }: MessageEvent<unknown>) => host.receive(data);
for (const message of waiting) host.receive(message);
