/** Several runs in one database: each under its own keys, its newest state in one of two places. */
import { describe, expect, test } from "vitest";
import { LATEST, MemoryStore, PREVIOUS } from "./store";
import { type About, deleteRun, StoredRun, storedRuns } from "./storedRun";

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);
const about = (change: Partial<About> = {}): About => ({
  name: "Run of today",
  stage: "grpo",
  step: 3,
  openedAt: 5,
  ...change,
});

function runIn(database: MemoryStore, id: string, change: Partial<About> = {}, owned = true): StoredRun {
  return new StoredRun(database, { id, about: () => about(change), owned: () => owned, onSaved: () => undefined });
}

describe("a stored run", () => {
  test("keeps the state before the newest readable, also across a reload", async () => {
    const database = new MemoryStore();
    for (const value of [1, 2, 3]) await runIn(database, "a").put(LATEST, bytes(value));
    expect(await runIn(database, "a").get(LATEST)).toEqual(bytes(3));
    expect(await runIn(database, "a").get(PREVIOUS)).toEqual(bytes(2));
  });

  test("a write that fails leaves the newest and the one before as they were", async () => {
    const database = new MemoryStore();
    const run = runIn(database, "a");
    await run.put(LATEST, bytes(1));
    await run.put(LATEST, bytes(2));
    database.putAll = () => Promise.reject(new DOMException("no room", "QuotaExceededError"));
    await expect(run.put(LATEST, bytes(3))).rejects.toThrow("no room");
    expect(await run.get(LATEST)).toEqual(bytes(2));
    expect(await runIn(database, "a").get(PREVIOUS)).toEqual(bytes(1));
  });

  test("two runs do not touch each other; the last opened comes first", async () => {
    const database = new MemoryStore();
    await runIn(database, "a", { openedAt: 1 }).put(LATEST, bytes(1));
    await runIn(database, "b", { openedAt: 2, step: 9 }).put(LATEST, bytes(2));
    await runIn(database, "b").put("start", bytes(7));
    expect((await storedRuns(database)).map(({ id, step }) => [id, step])).toEqual([
      ["b", 9],
      ["a", 3],
    ]);
    await deleteRun(database, "b");
    expect((await storedRuns(database)).map(({ id }) => id)).toEqual(["a"]);
    expect(await runIn(database, "a").get(LATEST)).toEqual(bytes(1));
    expect((await database.keys()).some((key) => key.includes("run:b"))).toBe(false);
  });

  test("the run of a version that kept only one is found, continued and described", async () => {
    const database = new MemoryStore();
    await database.put(LATEST, bytes(1));
    await database.put("matmul", bytes(9));
    const [first] = await storedRuns(database);
    expect(first).toMatchObject({ name: "Earlier run", openedAt: 0 });
    const run = runIn(database, first?.id ?? "");
    expect(await run.get(LATEST)).toEqual(bytes(1));
    await run.put(LATEST, bytes(2));
    expect(await run.get(LATEST)).toEqual(bytes(2));
    expect(await run.get(PREVIOUS)).toEqual(bytes(1));
    await deleteRun(database, first?.id ?? "");
    expect(await database.keys(), "what is no run's stays").toEqual(["matmul"]);
  });

  test("a damaged description costs the name, not the run", async () => {
    const database = new MemoryStore();
    const run = runIn(database, "a");
    await run.put(LATEST, bytes(1));
    await database.put("run:a/about", bytes(123));
    expect((await storedRuns(database)).map(({ id, name }) => [id, name])).toEqual([["a", "Earlier run"]]);
  });

  test("writes nothing once another tab has it", async () => {
    const database = new MemoryStore();
    await runIn(database, "a").put(LATEST, bytes(1));
    const lost = runIn(database, "a", {}, false);
    await expect(lost.put(LATEST, bytes(2))).rejects.toThrow(/another tab/);
    await lost.delete("start");
    expect(await runIn(database, "a").get(LATEST)).toEqual(bytes(1));
  });

  test("what cannot be read is left where it is, and the new run goes beside it", async () => {
    const database = new MemoryStore();
    const run = runIn(database, "a");
    await run.put(LATEST, bytes(1));
    run.moveTo("b");
    await run.put(LATEST, bytes(2));
    expect(await runIn(database, "a").get(LATEST)).toEqual(bytes(1));
    expect(await runIn(database, "b").get(LATEST)).toEqual(bytes(2));
  });
});
