/** A served run on disk: its snapshots where train has them, its metrics in step with it. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LATEST } from "../../worker/store";
import { planOf, writePlan } from "../run/runPlan";
import { ServedFolder } from "./servedFolder";

let folder: string;
const fail = (error: Error): void => {
  throw error;
};
const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-run-"));
});
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

test("metrics.jsonl follows the run, back as well", async () => {
  const served = await ServedFolder.take(folder, fail);
  const metrics = (step: number): { step: number; stage: "grpo" } => ({ step, stage: "grpo" });
  const plan = planOf({ stages: ["grpo"], saveEvery: 1, policy: "policies/own", backend: "wasm" });
  await writePlan(folder, plan);
  served.begin(plan);
  served.step(metrics(1), []);
  served.step(metrics(2), []);
  served.follow({ run: "r", type: "restored", stage: "grpo", step: 1, history: [metrics(1)] });
  served.step(metrics(2), []);
  await served.release();
  expect(
    (await readFile(join(folder, "metrics.jsonl"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([metrics(1), metrics(2)]);
  // Released: another may have it.
  await (await ServedFolder.take(folder, fail)).release();
});
