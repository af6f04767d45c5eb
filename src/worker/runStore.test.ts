/** What is kept of a run: at most one write under way, a timeline that thins itself out, and a fork when rewinding. */
import { describe, expect, test } from "vitest";
import { defaultSettings } from "../training/settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot, SnapshotError } from "../training/snapshot";
import type { SessionState } from "../training/state";
import { GroupFeed, type GroupPost } from "./groupFeed";
import { RunStore } from "./runStore";
import { LATEST, MemoryStore } from "./store";

function snapshot(step: number): Snapshot {
  const state: SessionState = {
    version: 1,
    stage: "grpo",
    step,
    updates: step,
    cursor: { base: 0, sft: 0, grpo: 16 * step },
    chunks: 0,
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

const noFault = (error: Error): never => {
  throw error;
};

describe("runStore", () => {
  test("a kept state comes back to the bit", async () => {
    const store = new MemoryStore();
    const runStore = new RunStore(store, noFault);
    await runStore.start(snapshot(0));
    await runStore.keep(snapshot(1));
    await runStore.settled();
    expect(await new RunStore(store, noFault).resume()).toEqual(snapshot(1));
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

  test("a store that is full is reported, and training continues", async () => {
    const faults: string[] = [];
    const store = new MemoryStore();
    const runStore = new RunStore(store, (error) => faults.push(error.message));
    store.put = () => Promise.reject(new Error("quota exceeded"));
    await runStore.start(snapshot(0));
    await runStore.keep(snapshot(1));
    await runStore.settled();
    expect(faults[0]).toBe("quota exceeded");
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
