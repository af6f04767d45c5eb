/** The two snapshots of a run on disk: one is whole, whatever happens to the other. */
import { mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { encodeSnapshot } from "../../training/snapshot";
import { byLength, taughtPolicy, tinySession } from "../../training/testing/tinySession";
import { LATEST, PREVIOUS as PREVIOUS_KEY } from "../../worker/store";
import { FolderStore } from "../serve/servedFolder";
import { RunFolder } from "./runFolder";
import { planOf } from "./runPlan";
import { NEWEST, newestSnapshot, PREVIOUS, putDamagedAside, writeSnapshot } from "./snapshotFiles";

let backend: Backend;
/** Snapshots at steps 0, 1 and 2. */
let snapshots: Uint8Array<ArrayBuffer>[];
let folder: string;
beforeAll(async () => {
  backend = await openWasmBackend();
  const policy = await taughtPolicy(backend);
  const session = tinySession(policy, {}, { scorer: byLength });
  snapshots = [encodeSnapshot(await session.snapshot())];
  for (let step = 1; step <= 2; step++) {
    await session.stepThrough();
    snapshots.push(encodeSnapshot(await session.snapshot()));
  }
  session.dispose();
  policy.dispose();
}, 60_000);
afterAll(() => backend.dispose());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-snapshots-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const write = async (...steps: readonly number[]): Promise<void> => {
  for (const step of steps) await writeSnapshot(folder, snapshots[step] ?? new Uint8Array());
};

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  const at = bytes.length - 5;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe("reading back", () => {
  test("nothing is there before the first", async () => {
    expect(await newestSnapshot(folder)).toBeNull();
  });

  test("the newest, without a word; the one before is kept, no older one and no temporary file", async () => {
    await write(0, 1, 2);
    const found = await newestSnapshot(folder);
    expect(found?.snapshot.state.step).toBe(2);
    expect(found?.warning).toBeNull();
    expect((await readdir(folder)).sort()).toEqual([NEWEST, PREVIOUS]);
    expect(Buffer.compare(await readFile(join(folder, PREVIOUS)), snapshots[1] ?? new Uint8Array())).toBe(0);
  });

  test.each<[string, () => Promise<void>, RegExp]>([
    ["a flipped bit", () => flipByte(join(folder, NEWEST)), /snapshot\.bin: snapshot damaged: its checksum/],
    ["cut short", () => truncate(join(folder, NEWEST), 5000), /snapshot\.bin: snapshot cut short/],
    ["empty", () => writeFile(join(folder, NEWEST), ""), /snapshot\.bin: not a snapshot/],
    ["gone, as after a kill on a disk without links", () => rm(join(folder, NEWEST)), /snapshot\.bin: not found/],
  ])("the one before where the newest is damaged: %s", async (_what, damage, fault) => {
    await write(1, 2);
    await damage();
    const found = await newestSnapshot(folder);
    expect(found?.snapshot.state.step).toBe(1);
    expect(found?.warning).toMatch(fault);
    expect(found?.warning).toMatch(/Continuing from the snapshot before it, .*snapshot\.previous\.bin: grpo step 1$/);
  });

  test("all damaged: each is named", async () => {
    await write(1, 2);
    await flipByte(join(folder, NEWEST));
    await truncate(join(folder, PREVIOUS), 100);
    await expect(newestSnapshot(folder)).rejects.toThrow(
      /snapshot\.bin: snapshot damaged.*snapshot\.previous\.bin: snapshot cut short.*start a new run in another folder/,
    );
  });

  test("a killed process' temporary file changes nothing", async () => {
    await write(1);
    await writeFile(join(folder, `${NEWEST}.99999.partial`), snapshots[2]?.subarray(0, 900) ?? "");
    expect((await newestSnapshot(folder))?.snapshot.state.step).toBe(1);
  });
});

test("a run resumed from the one before says so, and its logs are cut back to it", async () => {
  const plan = planOf({
    stages: ["grpo"],
    saveEvery: 1,
    policy: "tiny",
    backend: "wasm",
    logs: { tensorboard: false },
  });
  const policy = await taughtPolicy(backend);
  const trained = tinySession(policy, {}, { scorer: byLength });
  const run = new RunFolder(folder, plan);
  await run.begin(trained);
  const losses: (number | undefined)[] = [];
  for (let step = 1; step <= 3; step++) {
    const metrics = await trained.stepThrough();
    if (metrics === null) throw new Error("the step was not finished");
    losses.push(metrics.loss);
    await run.log(metrics, []);
    await run.save(trained);
  }
  await flipByte(join(folder, NEWEST));

  const resumed = tinySession(policy, { seed: 99 }, { scorer: byLength });
  expect(await new RunFolder(folder, plan).restore(resumed)).toMatch(/damaged.*grpo step 2$/);
  const logged = async (): Promise<number> =>
    (await readFile(join(folder, "metrics.jsonl"), "utf8")).trim().split("\n").length;
  expect(await logged()).toBe(2);
  expect((await resumed.stepThrough())?.loss).toBe(losses[2]);
  await run.save(resumed);
  expect((await newestSnapshot(folder))?.warning).toBeNull();
  trained.dispose();
  resumed.dispose();
  policy.dispose();
}, 60_000);

test("the same state again does not take the place of the one before", async () => {
  await write(1, 2, 2);
  expect(Buffer.compare(await readFile(join(folder, PREVIOUS)), snapshots[1] ?? new Uint8Array())).toBe(0);
});

test("a served run has the same two", async () => {
  const store = new FolderStore(folder);
  for (const bytes of snapshots) await store.put(LATEST, bytes);
  await rename(join(folder, NEWEST), join(folder, "elsewhere"));
  expect(await store.get(LATEST)).toBeNull();
  expect(Buffer.compare((await store.get(PREVIOUS_KEY)) ?? new Uint8Array(), snapshots[1] ?? new Uint8Array())).toBe(0);
});

test("a served run with a damaged newest goes on from the one before, which is the newest then", async () => {
  expect(await putDamagedAside(folder)).toBeNull();
  await write(1, 2);
  expect(await putDamagedAside(folder)).toBeNull();
  await flipByte(join(folder, NEWEST));
  expect(await putDamagedAside(folder)).toMatch(/snapshot\.bin: snapshot damaged.*grpo step 1$/);
  expect((await readdir(folder)).sort()).toEqual([NEWEST, "snapshot.damaged.bin"]);
  expect(
    Buffer.compare((await new FolderStore(folder).get(LATEST)) ?? new Uint8Array(), snapshots[1] ?? new Uint8Array()),
  ).toBe(0);
  expect((await newestSnapshot(folder))?.warning).toBeNull();
  await flipByte(join(folder, NEWEST));
  expect(await putDamagedAside(folder)).toMatch(
    /snapshot\.bin: snapshot damaged.*The states of the timeline are tried\.$/,
  );
  expect((await readdir(folder)).sort()).toEqual([NEWEST, "snapshot.damaged.bin"]);
});
