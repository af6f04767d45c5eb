/** The worker's entry: joins a host to the message port, the best backend, IndexedDB and the page's own server. */
import { type CheckpointFiles, InMemoryFiles, UrlFiles } from "../policy/checkpoint/checkpointFiles";
import { openBestBackend } from "../tensor/open";
import { Host } from "./host";
import { requestedMatmul, tuningStore } from "./matmulVariant";
import type { PolicySource } from "./protocol";
import { replicasOnWorkers } from "./replicaWorkers";
import type { OpenBackend } from "./run";
import { SharedRun } from "./sharedRun";
import { type Database, IndexedDbStore, MemoryStore } from "./store";

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
      tuning: { store: tuningStore(database ?? new MemoryStore()), environment: navigator.userAgent },
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

/** Private windows and blocked cookies forbid IndexedDB; then the run lasts as long as the tab. */
async function openDatabase(): Promise<{ readonly database: Database | null; readonly refused: string }> {
  try {
    return { database: await IndexedDbStore.open(), refused: "" };
  } catch (error) {
    return { database: null, refused: error instanceof Error ? error.message : String(error) };
  }
}

/** Null where tabs cannot agree on who owns a run: the browser lacks locks or channels, or forbids them. */
async function openLocks(): Promise<LockManager | null> {
  const { locks } = navigator as { readonly locks?: LockManager };
  if (locks === undefined || typeof BroadcastChannel === "undefined") return null;
  try {
    await locks.query();
    return locks;
  } catch (error) {
    console.info("This browser forbids locks:", error);
    return null;
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

const waiting: unknown[] = [];
self.onmessage = ({ data }: MessageEvent<unknown>) => void waiting.push(data);
const { database, refused } = await openDatabase();
const locks = await openLocks();
// Held for as long as this worker lives: the page waits for it to notice that the worker was stopped (engine.ts).
void locks?.request(self.name, () => new Promise<never>(() => undefined));
const run = new SharedRun({
  database,
  refused,
  locks,
  createHost: ({ store, post, leaveStored }) =>
    new Host({
      openBackend,
      openReplicas: replicasOnWorkers,
      filesOf,
      store,
      leaveStored,
      sleep,
      now: () => performance.now(),
      post,
    }),
  post: (event, transfer) => self.postMessage(event, { transfer }),
  newId: () => crypto.randomUUID(),
  now: () => Date.now(),
});
self.onmessage = ({ data }: MessageEvent<unknown>) => run.receive(data);
for (const message of waiting) run.receive(message);
