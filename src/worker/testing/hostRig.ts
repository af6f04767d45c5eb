/** A page and a host in one process, with a tiny policy that has been taught the format, on the wasm backend. */
import { InMemoryFiles } from "../../policy/checkpoint/checkpointFiles";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { teachFormat, tinyPolicy } from "../../training/testing/tinyPolicy";
import { type CommandBody, WorkerClient } from "../client";
import { Host, type HostDependencies } from "../host";
import type { Port } from "../port";
import type { Event } from "../protocol";
import { MemoryStore, type SnapshotStore } from "../store";

export const OPEN: Extract<CommandBody, { type: "open" }> = {
  type: "open",
  source: { kind: "shipped", name: "sft" },
  settings: {
    maxNewTokens: 24,
    sft: { examples: 8, batchSize: 8, steps: 3 },
    grpo: { prompts: 2, groupSize: 3, steps: 4 },
  },
  backend: null,
  resume: false,
};

/** The folder of a policy taught to write in the format. */
export async function taughtFiles(): Promise<InMemoryFiles> {
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  const files = new InMemoryFiles(await policy.toFiles());
  await backend.dispose();
  return files;
}

export interface Rig {
  readonly host: Host;
  readonly client: WorkerClient;
  readonly events: Event[];
  readonly faults: Error[];
}

/** Messages between the two are structured clones, as between a page and its worker. */
export function createRig(
  overrides: Partial<HostDependencies> & Pick<HostDependencies, "filesOf">,
  store: SnapshotStore = new MemoryStore(),
): Rig {
  const events: Event[] = [];
  const faults: Error[] = [];
  let toPage: (message: unknown) => void = () => undefined;
  const host = new Host({
    openBackend: async () => ({
      backend: await openWasmBackend(),
      passedOver: [{ backend: "webgpu", why: "no adapter" }],
      deviceTime: 1,
      times: { pipelines: 2, selfTest: 2 },
    }),
    openReplicas: async () => [],
    store,
    now: () => performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    post: (event) => toPage(structuredClone(event)),
    ...overrides,
  });
  const port: Port = {
    send: (message) => host.receive(structuredClone(message)),
    listen: (receive) => {
      toPage = receive;
    },
  };
  const client = new WorkerClient(port, "run-1", (error) => faults.push(error));
  client.subscribe((event) => events.push(event));
  return { host, client, events, faults };
}

/** Sends commands and returns the events up to when the host is idle. */
export async function send({ host, client, events }: Rig, ...commands: CommandBody[]): Promise<readonly Event[]> {
  const before = events.length;
  for (const command of commands) client.send(command);
  await host.idle();
  return events.slice(before);
}

/** The events of one type. */
export function only<T extends Event["type"]>(events: readonly Event[], type: T): Extract<Event, { type: T }>[] {
  return events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
}
