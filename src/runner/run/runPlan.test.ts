/** What a run keeps from its beginning, and who may work on it. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PAPER_FORM } from "../../srpo/reflectionForm";
import { defaultRunConfig, runConfigSchema } from "./runConfig";
import { RunLock } from "./runLock";
import { fixedKeys, planOf, readPlan, refuseOther, writePlan } from "./runPlan";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-plan-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a plan is found as it was written; an older one has the values that its run had", async () => {
  expect(await readPlan(folder)).toBeNull();
  const reflectionForm = { ...PAPER_FORM, rounds: 2 };
  const plan = planOf({
    ...defaultRunConfig,
    policy: "policies/own",
    packing: "int4",
    dataDigest: "d",
    reflectionForm,
  });
  await writePlan(folder, plan);
  expect(await readPlan(folder)).toEqual(plan);
  await writeFile(
    join(folder, "plan.json"),
    JSON.stringify({ stages: ["grpo"], saveEvery: 1, policy: "policies/old" }),
  );
  expect(await readPlan(folder)).toMatchObject({
    packing: "f32",
    backend: "wasm",
    lora: { rank: 0, adapter: null },
    data: { train: null },
    dataDigest: null,
    reflectionForm: PAPER_FORM,
    logs: { tensorboard: false, completions: false },
  });
  for (const text of ["{}", "{", '{"stages": ["grpo", "sft"], "saveEvery": 1, "policy": "p"}']) {
    await writeFile(join(folder, "plan.json"), text);
    await expect(readPlan(folder)).rejects.toThrow(/plan.json: damaged/);
  }
});

test("a resumed run keeps its original settings; what is not named stays as it was", () => {
  const config = runConfigSchema.parse({ packing: "f16", lora: { rank: 4 } });
  const plan = planOf(config);
  refuseOther(plan, fixedKeys(defaultRunConfig, {}), "runs/a");
  refuseOther(plan, fixedKeys(config, { packing: "f16", lora: { rank: 4 } }), "runs/a");
  expect(() => refuseOther(plan, fixedKeys({ ...config, packing: "int4" }, { packing: "int4" }), "runs/a")).toThrow(
    /run in runs\/a started with packing "f16", not "int4"/,
  );
  refuseOther(plan, { policy: `./${plan.policy}` }, "runs/a");
  refuseOther(plan, { policy: resolve(plan.policy) }, "runs/a");
  expect(() => refuseOther(plan, { policy: "elsewhere" }, "runs/a")).toThrow(
    /started with policy .*, not .*elsewhere"/,
  );
});

test("a folder belongs to one process; one that was killed leaves no claim", async () => {
  const mine = await RunLock.take(folder);
  await expect(RunLock.take(folder)).rejects.toThrow(/is already training or serving this run/);
  await mine.release();
  const lock = join(folder, "run.lock");
  // A living process, one that cannot exist, and an earlier one with our id, as in a restarted container.
  await writeFile(lock, String(process.ppid));
  await expect(RunLock.take(folder)).rejects.toThrow(new RegExp(`process ${process.ppid} .*remove .*run.lock`));
  for (const gone of ["4194399", String(process.pid), ""]) {
    await writeFile(lock, gone);
    const taken = await RunLock.take(folder);
    expect(JSON.parse(await readFile(lock, "utf8"))).toMatchObject({ pid: process.pid });
    await taken.release();
  }
});

test("what a killed process left half written is removed, nothing else", async () => {
  await mkdir(join(folder, "grpo"));
  for (const name of [
    "snapshot.bin",
    "snapshot.bin.123.partial",
    "grpo/model.safetensors.77.partial",
    "grpo/notes.partial",
  ])
    await writeFile(join(folder, name), "");
  await (await RunLock.take(folder)).release();
  expect((await readdir(folder, { recursive: true })).sort()).toEqual([
    "grpo",
    join("grpo", "notes.partial"),
    "snapshot.bin",
  ]);
});
