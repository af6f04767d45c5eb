/** A served run on disk: for one process at a time, opened again only as it was, its metrics in step with it. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LATEST } from "../../worker/store";
import { loraSchema } from "../runConfig";
import { ServedFolder } from "./servedFolder";

let folder: string;
const fail = (error: Error): void => { throw error; };
const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "srpo-run-")); });
afterEach(() => rm(folder, { recursive: true, force: true }));

test("snapshots are kept as files, the latest where srpo train has it", async () => {
  const { store } = await ServedFolder.take(folder, fail);
  await store.put(LATEST, bytes(1));
  await store.put("timeline:grpo-1-../x", bytes(2));
  expect(await store.get(LATEST)).toEqual(bytes(1));
  expect(await store.get("timeline:grpo-1-../x")).toEqual(bytes(2));
  expect(await readdir(folder)).toEqual(expect.arrayContaining(["kept", "snapshot.bin"]));
  await store.delete("timeline:grpo-1-../x");
  await store.delete("never there");
  expect(await store.get("timeline:grpo-1-../x")).toBeNull();
  expect(await readdir(join(folder, "kept"))).toEqual([]);
});

test("a folder belongs to one process; one that was killed leaves no claim", async () => {
  const mine = await ServedFolder.take(folder, fail);
  await expect(ServedFolder.take(folder, fail)).rejects.toThrow(/serves this run already/);
  await mine.release();
  // A process id that cannot be: as a killed process leaves it.
  await writeFile(join(folder, "serve.lock"), "4194399");
  await (await ServedFolder.take(folder, fail)).release();
});

test("what the run was opened with is found again, also of a run of srpo train", async () => {
  const served = await ServedFolder.take(folder, fail);
  expect(await served.record()).toBeNull();
  await writeFile(join(folder, "plan.json"), JSON.stringify({ stages: ["grpo"], saveEvery: 1, policy: "policies/trained" }));
  expect(await served.record()).toEqual({ policy: "policies/trained", lora: loraSchema.parse({}) });
  const own = { policy: "policies/own", lora: loraSchema.parse({ rank: 8 }) };
  await served.writeRecord(own);
  expect(await served.record()).toEqual(own);
  await writeFile(join(folder, "serve.json"), "{}");
  await expect(served.record()).rejects.toThrow(/serve\.json: policy is not as expected/);
});

test("metrics.jsonl follows the run, back as well", async () => {
  const served = await ServedFolder.take(folder, fail);
  const metrics = (step: number): { step: number; stage: "grpo" } => ({ step, stage: "grpo" });
  served.follow({ run: "r", type: "stepped", metrics: metrics(1) });
  served.follow({ run: "r", type: "stepped", metrics: metrics(2) });
  served.follow({ run: "r", type: "restored", stage: "grpo", step: 1, history: [metrics(1)] });
  served.follow({ run: "r", type: "stepped", metrics: metrics(2) });
  await served.release();
  expect((await readFile(join(folder, "metrics.jsonl"), "utf8")).trim().split("\n").map((line) => JSON.parse(line) as unknown)).toEqual([metrics(1), metrics(2)]);
});
