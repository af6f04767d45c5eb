/** The host behind its protocol: everything a page does, on the wasm backend with a tiny policy, without a browser. */
import { beforeAll, describe, expect, test } from "vitest";
import { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { type Backend, DeviceLostError } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import type { Replica } from "../training/parallel/replica";
import { teachFormat, tinyPolicy } from "../training/testing/tinyPolicy";
import { type CommandBody, WorkerClient } from "./client";
import { Host, type HostDependencies } from "./host";
import type { Port } from "./port";
import type { Event, SettingsPatch } from "./protocol";
import { MemoryStore, type SnapshotStore } from "./store";

let files: InMemoryFiles;
const settings: SettingsPatch = {
  maxNewTokens: 24,
  sft: { examples: 8, batchSize: 8, steps: 3 },
  grpo: { prompts: 2, groupSize: 3, steps: 4 },
};
const open: CommandBody = {
  type: "open",
  source: { kind: "shipped", name: "sft" },
  settings,
  backend: null,
  resume: false,
};

beforeAll(async () => {
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  files = new InMemoryFiles(await policy.toFiles());
  await backend.dispose();
});

interface Rig {
  readonly host: Host;
  readonly client: WorkerClient;
  readonly events: Event[];
  readonly faults: Error[];
}

/** A page and a host in one process, joined by structured clones as a worker would. */
function rig(overrides: Partial<HostDependencies> = {}, store: SnapshotStore = new MemoryStore()): Rig {
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
    filesOf: () => files,
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

async function send({ host, client, events }: Rig, ...commands: CommandBody[]): Promise<readonly Event[]> {
  const before = events.length;
  for (const command of commands) client.send(command);
  await host.idle();
  return events.slice(before);
}

const types = (events: readonly Event[]): string[] => events.map((event) => event.type);
function only<T extends Event["type"]>(events: readonly Event[], type: T): Extract<Event, { type: T }>[] {
  return events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
}

describe("a run", () => {
  test("opens, says which backend and why others were passed over, and what it cost", async () => {
    const page = rig();
    const [opened] = only(await send(page, open), "opened");
    expect(opened).toMatchObject({
      backend: "wasm",
      passedOver: [{ backend: "webgpu", why: "no adapter" }],
      stage: "grpo",
      step: 0,
      resumed: false,
      start: "sft",
    });
    expect(opened?.costs).toMatchObject({ device: 1, selfTest: 2 });
    expect(opened?.parameters).toBeGreaterThan(10_000);
    expect(page.faults).toEqual([]);
  });

  test("sub-steps show what each phase made; a step finishes what is left", async () => {
    const page = rig();
    await send(page, open);
    expect(only(await send(page, { type: "phase" }), "phase")[0]).toMatchObject({ phase: "rollout", step: 1 });
    const [scored] = only(await send(page, { type: "phase" }), "phase");
    expect(scored?.groups[0]?.samples[0]?.score).toBeDefined();
    expect(scored?.groups[0]?.normalised).toBeUndefined();
    const rest = await send(page, { type: "step" });
    expect(only(rest, "phase").map(({ phase }) => phase)).toEqual(["normalise", "update"]);
    expect(only(rest, "phase")[1]?.groups[0]?.samples[0]?.logprobsAfter).toBeDefined();
    expect(only(rest, "stepped")[0]?.metrics).toMatchObject({ step: 1, stage: "grpo" });
  });

  test("plays to the planned end, at most ten group records a second, and can be paused", async () => {
    const page = rig();
    await send(page, open);
    const played = await send(page, { type: "play", delay: 0, until: null });
    expect(only(played, "stepped").map(({ metrics }) => metrics.step)).toEqual([1, 2, 3, 4]);
    expect(only(played, "phase").length).toBeLessThan(16);
    expect(only(played, "playing").map(({ playing }) => playing)).toEqual([true, false]);
    page.client.send({ type: "play", delay: 0, until: 1000 });
    await page.client.next("stepped");
    const paused = await send(page, { type: "pause" });
    expect(types(paused).at(-1)).toBe("playing");
    expect(only(page.events, "stepped").length).toBeLessThan(100);
  });

  test("SFT builds its data before the eyes of the page, then trains", async () => {
    const page = rig();
    await send(page, open, { type: "stage", stage: "sft" });
    const events = await send(page, { type: "step" });
    const data = only(events, "data");
    expect(data.at(-1)?.progress).toMatchObject({ collected: 8, wanted: 8 });
    expect(data.flatMap(({ examples }) => examples)).toHaveLength(8);
    expect(only(events, "stepped")[0]?.metrics).toMatchObject({ stage: "sft", step: 1 });
  });

  test("reset and restore go back bit for bit", async () => {
    const page = rig();
    await send(page, open, { type: "step" }, { type: "step" });
    const first = only(page.events, "stepped").map(({ metrics }) => metrics.grad_norm);
    const timeline = only(page.events, "snapshots").at(-1)?.snapshots ?? [];
    expect(timeline.map(({ step }) => step)).toEqual([0, 1, 2]);
    const back = await send(page, { type: "restore", snapshot: timeline[1]?.id ?? "" });
    expect(only(back, "restored")[0]).toMatchObject({ step: 1 });
    expect(only(await send(page, { type: "step" }), "stepped")[0]?.metrics.grad_norm).toBe(first[1]);
    await send(page, { type: "reset" });
    expect(only(await send(page, { type: "step" }), "stepped")[0]?.metrics.grad_norm).toBe(first[0]);
  });

  test("samples, evaluates, exports, and reports a command that fails without stopping", async () => {
    const page = rig();
    await send(page, open);
    expect(
      only(await send(page, { type: "sample", family: "bars", greedy: false }), "sampled")[0]?.group.samples,
    ).toHaveLength(3);
    expect(only(await send(page, { type: "evaluate", problems: 4 }), "evaluated")[0]?.evaluation.problems).toBe(4);
    const [exported] = only(await send(page, { type: "export" }), "exported");
    expect(exported?.files.map(({ path }) => path)).toContain("model.safetensors");
    const failed = await send(
      page,
      { type: "restore", snapshot: "nonsense" },
      { type: "sample", family: "rivers", greedy: true },
      { type: "step" },
    );
    expect(only(failed, "error").map(({ fatal }) => fatal)).toEqual([false, false]);
    expect(only(failed, "stepped")).toHaveLength(1);
  });

  test("a message that is no command is named; commands of another run are ignored", async () => {
    const page = rig();
    await send(page, open);
    page.host.receive({ run: "run-1", type: "stage", stage: "rlhf" });
    expect(only(page.events, "error")[0]?.message).toMatch(/stage/);
    const before = page.events.length;
    page.host.receive({ run: "older", type: "step" });
    await page.host.idle();
    expect(page.events).toHaveLength(before);
  });
});

describe("replicas", () => {
  /** A replica that answers no job: the policy itself does its work. */
  const broken: Replica = {
    load: () => Promise.resolve(),
    gradient: () => Promise.reject(new Error("out of memory.")),
    loadReference: () => Promise.resolve(),
    referenceLogprobs: () => Promise.reject(new Error("out of memory.")),
    rollout: () => Promise.reject(new Error("out of memory.")),
    dispose: () => Promise.resolve(),
  };
  const adapters = (events: readonly Event[]): string[] =>
    events.flatMap((event) => (event.type === "opened" || event.type === "adapter" ? [event.adapter] : []));

  test("one that fails is reported, leaves the badge, and changes nothing", async () => {
    const alone = rig();
    const [expected] = only(await send(alone, open, { type: "step" }), "stepped");
    const page = rig({ openReplicas: async () => [broken] });
    const events = await send(page, open, { type: "step" });
    expect(adapters(events)).toEqual(["SIMD, 2 workers", "SIMD, 1 thread"]);
    expect(only(events, "error").map(({ message }) => message)).toEqual([
      expect.stringMatching(/out of memory.*training continues with one worker/),
    ]);
    expect(only(events, "stepped")[0]?.metrics.grad_norm).toBe(expected?.metrics.grad_norm);
  });

  test("where none can be started the run opens with one worker and says why", async () => {
    const page = rig({ openReplicas: () => Promise.reject(new Error("workers are forbidden here.")) });
    const events = await send(page, open, { type: "step" });
    expect(adapters(events)).toEqual(["SIMD, 1 thread"]);
    expect(only(events, "error")[0]).toMatchObject({
      fatal: false,
      message: expect.stringMatching(/continues with one worker. The second did not start: .*forbidden/) as string,
    });
    expect(only(events, "stepped")).toHaveLength(1);
  });
});

describe("faults", () => {
  test("closing the tab loses nothing that was stepped: a new host continues bit for bit", async () => {
    const store = new MemoryStore();
    const page = rig({}, store);
    await send(page, open, { type: "step" }, { type: "step" });
    const reloaded = rig({}, store);
    const [opened] = only(await send(reloaded, { ...open, resume: true }), "opened");
    expect(opened).toMatchObject({ resumed: true, step: 2, stage: "grpo" });
    expect(opened?.history).toHaveLength(2);
    const went = only(await send(page, { type: "step" }), "stepped")[0]?.metrics.grad_norm;
    expect(only(await send(reloaded, { type: "step" }), "stepped")[0]?.metrics.grad_norm).toBe(went);
  });

  test("a policy that the visitor dropped is stored with its run: a reload continues with it", async () => {
    const filesOf: HostDependencies["filesOf"] = (source) => {
      if (source.kind !== "files") throw new Error("expected the dropped files");
      return new InMemoryFiles(new Map(source.files.map(({ path, bytes }) => [path, new Uint8Array(bytes)])));
    };
    const dropped = await Promise.all(
      files.list().map(async (path) => ({ path, bytes: Uint8Array.from(await files.read(path)).buffer })),
    );
    const store = new MemoryStore();
    await send(rig({ filesOf }, store), { ...open, source: { kind: "files", files: dropped } }, { type: "step" });
    const [opened] = only(await send(rig({ filesOf }, store), { ...open, resume: true }), "opened");
    expect(opened).toMatchObject({ resumed: true, step: 1, stage: "base" });
  });

  test("a stored run that cannot be read is said, and a fresh one is started", async () => {
    const store = new MemoryStore();
    await store.put("latest", new Uint8Array([1, 2, 3]));
    const events = await send(rig({}, store), { ...open, resume: true });
    expect(only(events, "error")[0]).toMatchObject({ fatal: false });
    expect(only(events, "error")[0]?.message).toMatch(/not a snapshot/);
    expect(only(events, "opened")[0]).toMatchObject({ resumed: false });
  });

  test("a lost device: a new one, the last snapshot, the same numbers", async () => {
    const sound = rig();
    await send(sound, open, { type: "step" }, { type: "step" });
    const page = rig();
    await send(page, open, { type: "step" });
    const lost = await send(page, { type: "phase" }, { type: "loseDevice" });
    expect(only(lost, "deviceLost")[0]).toMatchObject({ recovering: true, attempt: 1 });
    expect(only(lost, "restored")[0]).toMatchObject({ step: 1 });
    const [again] = only(await send(page, { type: "step" }), "stepped");
    expect(again?.metrics.grad_norm).toBe(only(sound.events, "stepped")[1]?.metrics.grad_norm);
  });

  test("the group that is observedGroup stays observedGroup on a new device", async () => {
    const page = rig();
    const after = await send(page, open, { type: "observe", group: 1 }, { type: "loseDevice" }, { type: "step" });
    const groups = only(after, "phase").at(-1)?.groups ?? [];
    expect(groups.map(({ samples }) => samples[0]?.logprobsAfter !== undefined)).toEqual([false, true]);
  });

  test(
    "a device that is lost just as a step is done: playing continues, and nothing asks for a run that is under way " +
      "to another device",
    async () => {
      const page = rig();
      await send(page, open);
      let lost = false;
      page.client.subscribe((event) => {
        if (event.type !== "stepped" || lost) return;
        lost = true;
        page.client.send({ type: "loseDevice" });
      });
      const events = await send(page, { type: "play", delay: 0, until: null });
      expect(only(events, "error")).toEqual([]);
      expect(only(events, "deviceLost")).toHaveLength(1);
      expect(only(events, "stepped").at(-1)?.metrics.step).toBe(4);
    },
  );

  test("a device that is lost in the middle of playing: playing continues", async () => {
    let reads = 0;
    const page = rig({
      openBackend: async () => ({
        backend: failingBackend(await openWasmBackend(), () => ++reads === 14),
        passedOver: [],
        deviceTime: 0,
        times: { pipelines: 0, selfTest: 0 },
      }),
    });
    const events = await send(page, open, { type: "play", delay: 0, until: 4 });
    expect(only(events, "deviceLost")).toHaveLength(1);
    expect(only(events, "stepped").at(-1)?.metrics.step).toBe(4);
    expect(only(events, "playing").map(({ playing }) => playing)).toEqual([true, false]);
  });

  test("after three losses without a finished step the run gives up, and says so", async () => {
    let broken = false;
    const page = rig({
      openBackend: async () => ({
        backend: failingBackend(await openWasmBackend(), () => broken),
        passedOver: [],
        deviceTime: 0,
        times: { pipelines: 0, selfTest: 0 },
      }),
    });
    await send(page, open);
    broken = true;
    const events = await send(page, { type: "step" });
    expect(only(events, "deviceLost").map(({ recovering }) => recovering)).toEqual([true, true, true, false]);
    expect(only(events, "error").at(-1)).toMatchObject({ fatal: true });
  });

  test("a policy folder that cannot be read is fatal, with a message that says what is wrong", async () => {
    const events = await send(
      rig({ filesOf: () => new InMemoryFiles(new Map([["config.json", new TextEncoder().encode("{")]])) }),
      open,
      { type: "observe", group: 0 },
    );
    expect(only(events, "error"), "what is observedGroup needs no run, so nothing else fails").toHaveLength(1);
    expect(only(events, "error")[0]).toMatchObject({ fatal: true });
    expect(only(events, "error")[0]?.message).toMatch(/config.json/);
  });
});

/** The backend, whose reads fail as on a lost device whenever `fails` says so. */
function failingBackend(backend: Backend, fails: () => boolean): Backend {
  return {
    ...backend,
    read: (tensors) =>
      fails() ? Promise.reject(new DeviceLostError("The GPU device was lost: test.")) : backend.read(tensors),
  };
}
