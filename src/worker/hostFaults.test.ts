/** The host when something fails: a replica, the device, the stored run, the policy's files, a closed tab. */
import { beforeAll, describe, expect, test } from "vitest";
import { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { type Backend, DeviceLostError } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import type { Replica } from "../training/parallel/replica";
import type { HostDependencies } from "./host";
import type { Event } from "./protocol";
import { MemoryStore, type SnapshotStore } from "./store";
import { createRig, OPEN, only, type Rig, send, taughtFiles } from "./testing/hostRig";

let files: InMemoryFiles;
const rig = (overrides: Partial<HostDependencies> = {}, store?: SnapshotStore): Rig =>
  createRig({ filesOf: () => files, ...overrides }, store);

beforeAll(async () => {
  files = await taughtFiles();
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
    const [expected] = only(await send(alone, OPEN, { type: "step" }), "stepped");
    const page = rig({ openReplicas: async () => [broken] });
    const events = await send(page, OPEN, { type: "step" });
    expect(adapters(events)).toEqual(["SIMD, 2 workers", "SIMD, 1 thread"]);
    expect(only(events, "error").map(({ message }) => message)).toEqual([
      expect.stringMatching(/out of memory.*training continues with one worker/),
    ]);
    expect(only(events, "stepped")[0]?.metrics.grad_norm).toBe(expected?.metrics.grad_norm);
  });

  test("where none can be started the run opens with one worker and says why", async () => {
    const page = rig({ openReplicas: () => Promise.reject(new Error("workers are forbidden here.")) });
    const events = await send(page, OPEN, { type: "step" });
    expect(adapters(events)).toEqual(["SIMD, 1 thread"]);
    expect(only(events, "error")[0]).toMatchObject({
      fatal: false,
      message: expect.stringMatching(/continues with one worker. The second did not start: .*forbidden/) as string,
    });
    expect(only(events, "stepped")).toHaveLength(1);
  });
});

describe("faults", () => {
  test("a flood of commands is refused in words: the first wait for the step, and all else goes on", async () => {
    const page = rig();
    await send(page, OPEN);
    for (let i = 0; i < 200; i++) page.client.send({ type: "evaluate", problems: 1 });
    page.client.send({ type: "pause" });
    await page.host.idle();
    const refused = only(page.events, "error").filter(({ message }) => /"evaluate" was refused: 64 /.test(message));
    expect(refused).toHaveLength(200 - 64);
    expect(only(page.events, "evaluated")).toHaveLength(64);
    expect(only(await send(page, { type: "step" }), "stepped")).toHaveLength(1);
  });

  test("closing the tab loses nothing that was stepped: a new host continues bit for bit", async () => {
    const store = new MemoryStore();
    const page = rig({}, store);
    await send(page, OPEN, { type: "step" }, { type: "step" });
    const reloaded = rig({}, store);
    const [opened] = only(await send(reloaded, { ...OPEN, resume: true }), "opened");
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
    await send(rig({ filesOf }, store), { ...OPEN, source: { kind: "files", files: dropped } }, { type: "step" });
    const [opened] = only(await send(rig({ filesOf }, store), { ...OPEN, resume: true }), "opened");
    expect(opened).toMatchObject({ resumed: true, step: 1, stage: "base" });
  });

  test("a stored run that cannot be read is left where it is, and a fresh one starts", async () => {
    const store = new MemoryStore();
    await store.put("latest", new Uint8Array([1, 2, 3]));
    let left = 0;
    const leaveStored = async (): Promise<void> => {
      left++;
      await store.put("elsewhere", (await store.get("latest")) as Uint8Array<ArrayBuffer>);
    };
    const events = await send(rig({ leaveStored }, store), { ...OPEN, resume: true });
    expect(left).toBe(1);
    expect(only(events, "saving")[0]).toMatchObject({
      state: "unreadable",
      message: expect.stringMatching(/not a snapshot/) as string,
    });
    expect(only(events, "opened")[0]).toMatchObject({ resumed: false });
    expect(await store.get("elsewhere")).toEqual(new Uint8Array([1, 2, 3]));
  });

  test("where a stored run cannot be left, as in a folder, opening fails and changes nothing", async () => {
    const store = new MemoryStore();
    await store.put("latest", new Uint8Array([1, 2, 3]));
    const events = await send(rig({}, store), { ...OPEN, resume: true });
    expect(only(events, "error")[0]).toMatchObject({ fatal: true });
    expect(only(events, "opened")).toEqual([]);
    expect(await store.get("latest")).toEqual(new Uint8Array([1, 2, 3]));
  });

  test("a lost device: a new one, the last snapshot, the same numbers", async () => {
    const sound = rig();
    await send(sound, OPEN, { type: "step" }, { type: "step" });
    const page = rig();
    await send(page, OPEN, { type: "step" });
    const lost = await send(page, { type: "phase" }, { type: "loseDevice" });
    expect(only(lost, "deviceLost")[0]).toMatchObject({ recovering: true, attempt: 1 });
    expect(only(lost, "restored")[0]).toMatchObject({ step: 1 });
    const [again] = only(await send(page, { type: "step" }), "stepped");
    expect(again?.metrics.grad_norm).toBe(only(sound.events, "stepped")[1]?.metrics.grad_norm);
  });

  test("the observed group stays observed on a new device", async () => {
    const page = rig();
    const after = await send(page, OPEN, { type: "observe", group: 1 }, { type: "loseDevice" }, { type: "step" });
    const groups = only(after, "phase").at(-1)?.groups ?? [];
    expect(groups.map(({ samples }) => samples[0]?.logprobsAfter !== undefined)).toEqual([false, true]);
  });

  test(
    "a device that is lost just as a step is done: playing continues, and nothing asks for a run that is under way " +
      "to another device",
    async () => {
      const page = rig();
      await send(page, OPEN);
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
    const events = await send(page, OPEN, { type: "play", delay: 0, until: 4 });
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
    await send(page, OPEN);
    broken = true;
    const events = await send(page, { type: "step" });
    expect(only(events, "deviceLost").map(({ recovering }) => recovering)).toEqual([true, true, true, false]);
    expect(only(events, "error").at(-1)).toMatchObject({ fatal: true });
  });

  test("a policy folder that cannot be read is fatal, with a message that says what is wrong", async () => {
    const events = await send(
      rig({ filesOf: () => new InMemoryFiles(new Map([["config.json", new TextEncoder().encode("{")]])) }),
      OPEN,
      { type: "observe", group: 0 },
    );
    expect(only(events, "error"), "observing a group needs no run, so nothing else fails").toHaveLength(1);
    expect(only(events, "error")[0]).toMatchObject({ fatal: true });
    expect(only(events, "error")[0]?.message).toMatch(/config.json/);
  });
});

/** A backend whose reads fail, as on a lost device, whenever `fails` returns true. */
function failingBackend(backend: Backend, fails: () => boolean): Backend {
  return {
    ...backend,
    read: (tensors) =>
      fails() ? Promise.reject(new DeviceLostError("The GPU device was lost: test.")) : backend.read(tensors),
  };
}
