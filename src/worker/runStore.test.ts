/** What is kept of a run: at most one write under way, a timeline that thins itself out, and a fork when rewinding. */
import { describe, expect, test } from "vitest";
import { defaultSettings } from "../training/settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot, SnapshotError } from "../training/snapshot";
import type { SessionState } from "../training/state";
import { GroupFeed, type GroupPost } from "./groupFeed";
import { RunStore, type Saving } from "./runStore";
import { LATEST, MemoryStore, PREVIOUS } from "./store";

function snapshot(step: number): Snapshot {
  const state: SessionState = {
    version: 1,
    stage: "grpo",
    step,
    updates: step,
    cursor: { base: 0, sft: 0, grpo: 16 * step },
    chunks: 0,
    passedOver: 0,
    samples: 0,
    refusals: 0,
    settings: defaultSettings,
    pending: null,
    replay: [],
    failures: [],
    examples: [],
    progress: { collected: 0, wanted: 8, right: 0, wrong: 0, discarded: 0 },
    history: [],
  };
  return {
    state,
    parameters: { theta: Float32Array.of(step, 0.1), m: Float32Array.of(0, 0), v: Float32Array.of(1e-30, 2) },
    reference: null,
  };
}

const noFault = (saving: Saving): void => {
  if (!saving.saved) throw saving.error;
};

describe("runStore", () => {
  test("a kept state comes back to the bit", async () => {
    const store = new MemoryStore();
    const runStore = new RunStore(store, noFault);
    await runStore.start(snapshot(0));
    await runStore.keep(snapshot(1));
    await runStore.settled();
    expect(await new RunStore(store, noFault).resume()).toEqual({ snapshot: snapshot(1), damaged: null });
    expect(runStore.latest()).toEqual(snapshot(1));
    expect(await runStore.reset()).toEqual(snapshot(0));
  });

  test("saving does not hold training up, but never falls more than one step behind", async () => {
    const store = new MemoryStore();
    const runStore = new RunStore(store, noFault);
    await runStore.start(snapshot(0));
    await runStore.settled();
    let finish = (): void => undefined;
    let writes = 0;
    const put = store.put.bind(store);
    store.put = async (key, bytes) => {
      if (key === LATEST && writes++ === 0)
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      await put(key, bytes);
    };
    await runStore.keep(snapshot(1)); // returns while its write is under way
    let second = false;
    const keeping = runStore.keep(snapshot(2)).then(() => {
      second = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(second).toBe(false);
    finish();
    await keeping;
    await runStore.settled();
    expect(decodeSnapshot((await store.get(LATEST)) ?? new Uint8Array()).state.step).toBe(2);
  });

  test("the timeline keeps the start and thins out the rest; rewinding drops what came later", async () => {
    const runStore = new RunStore(new MemoryStore(), noFault);
    await runStore.start(snapshot(0));
    for (let step = 1; step <= 100; step++) await runStore.keep(snapshot(step));
    const steps = runStore.timeline.map((info) => info.step);
    expect(steps.length).toBeLessThanOrEqual(25);
    expect(steps[0]).toBe(0);
    expect(steps.slice(1).every((step) => step % 8 === 0)).toBe(true);
    const forty = runStore.timeline.find((info) => info.step === 40);
    expect((await runStore.rewind(forty?.id ?? "")).state.step).toBe(40);
    expect(runStore.timeline.at(-1)?.step).toBe(40);
  });

  test("a full store is reported with the step it has, and training continues until there is room", async () => {
    const said: Saving[] = [];
    const store = new MemoryStore();
    const runStore = new RunStore(store, (saving) => said.push(saving));
    await runStore.start(snapshot(0));
    await runStore.keep(snapshot(1));
    await runStore.settled();
    expect(said).toEqual([]);
    const put = store.put.bind(store);
    store.put = () => Promise.reject(new DOMException("no room", "QuotaExceededError"));
    await runStore.keep(snapshot(2));
    await runStore.settled();
    expect(runStore.failing).toBe(true);
    expect(said[0]).toMatchObject({ saved: false, error: { name: "QuotaExceededError" }, at: { step: 1 } });
    expect(decodeSnapshot((await store.get(LATEST)) ?? new Uint8Array()).state.step, "what is stored").toBe(1);
    expect(
      runStore.timeline.map(({ step }) => step),
      "only what is stored is listed",
    ).toEqual([0, 1]);
    store.put = put;
    await runStore.keep(snapshot(3));
    await runStore.settled();
    expect(said.at(-1)).toEqual({ saved: true });
    expect((await new RunStore(store, noFault).resume())?.snapshot.state.step).toBe(3);
  });

  test("no state is stored without what the run starts from; both follow when there is room", async () => {
    const store = new MemoryStore();
    let full = true;
    const source = async (): Promise<void> => {
      if (full) throw new Error("no room");
      await store.put("source", Uint8Array.of(1));
    };
    const runStore = new RunStore(store, () => undefined);
    await runStore.start(snapshot(0), source);
    await runStore.keep(snapshot(1));
    await runStore.settled();
    expect(await store.keys(), "nothing that could be resumed without its policy").not.toContain(LATEST);
    expect((await runStore.reset()).state.step, "a reset needs no store").toBe(0);
    full = false;
    await runStore.keep(snapshot(2));
    await runStore.settled();
    expect(await store.keys()).toEqual(expect.arrayContaining(["source", "start", LATEST]));
  });

  test.each([
    ["the one before", [LATEST], 8],
    ["the newest of the timeline", [LATEST, PREVIOUS], 8],
    ["the start", [LATEST, PREVIOUS, "timeline"], 0],
  ])("a damaged newest state: %s is taken, and it is said", async (_, damaged, step) => {
    const store = new MemoryStore();
    const runStore = new RunStore(store, noFault);
    await runStore.start(snapshot(0));
    for (let at = 1; at <= 8; at++) await runStore.keep(snapshot(at));
    await store.put(PREVIOUS, encodeSnapshot(snapshot(8)));
    await runStore.keep(snapshot(9));
    await runStore.settled();
    for (const key of await store.keys())
      if (damaged.some((each) => key === each || key.startsWith(`${each}:`)))
        await store.put(key, Uint8Array.from((await store.get(key)) ?? []).slice(0, 200));
    await store.delete(`timeline:${runStore.timeline.at(-1)?.id ?? ""}`);
    const resumed = await new RunStore(store, noFault).resume();
    expect(resumed?.snapshot.state.step).toBe(step);
    expect(resumed?.damaged).toMatch(/cut short/);
  });

  test("where nothing stored can be read, the newest says why; where nothing is stored, there is no run", async () => {
    const store = new MemoryStore();
    expect(await new RunStore(store, noFault).resume()).toBeNull();
    await store.put(LATEST, new Uint8Array(100));
    await expect(new RunStore(store, noFault).resume()).rejects.toThrow(/not a snapshot/);
  });
});

test("a snapshot that is cut short or foreign is named as such", () => {
  const bytes = encodeSnapshot(snapshot(3));
  expect(() => decodeSnapshot(bytes.subarray(0, bytes.length - 4))).toThrow(/cut short: weights need/);
  expect(() => decodeSnapshot(bytes.subarray(0, 60))).toThrow(/cut short: its header/);
  expect(() => decodeSnapshot(new Uint8Array(100))).toThrow(SnapshotError);
  const foreign = bytes.slice();
  foreign[20] = 0;
  expect(() => decodeSnapshot(foreign)).toThrow(SnapshotError);
});

test("groups are posted at most ten times a second while playing, and the last is not forgotten", () => {
  let time = 0;
  const sent: number[] = [];
  const feed = new GroupFeed(
    ({ step }: GroupPost) => sent.push(step),
    () => time,
  );
  for (let step = 0; step < 50; step++, time += 10) feed.offer({ phase: "update", step, groups: [] }, false);
  expect(sent).toEqual([0, 10, 20, 30, 40]);
  feed.flush();
  expect(sent.at(-1)).toBe(49);
  feed.offer({ phase: "rollout", step: 50, groups: [] }, true);
  expect(sent.at(-1)).toBe(50);
});
