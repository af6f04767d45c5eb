/** A served run over its life: started, stepped, stopped, and resumed by another process, or refused entirely. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InMemoryFiles } from "../../policy/checkpoint/checkpointFiles";
import { Policy } from "../../policy/policy";
import { problemAt } from "../../tasks/problems";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { configure } from "../../training/configure";
import { type ProblemSource, taskSource } from "../../training/problemSource";
import { Session } from "../../training/session";
import { defaultSettings } from "../../training/settings";
import { tinyPolicy } from "../../training/testing/tinyPolicy";
import type { CommandBody } from "../../worker/client";
import type { Event } from "../../worker/protocol";
import { openDataSource } from "../data/dataSource";
import { encodePng } from "../data/pictures";
import { RecordFaults } from "../data/recordFaults";
import { loadOptions } from "../run/resolveSource";
import { RunFolder } from "../run/runFolder";
import { planOf, type RunPlan } from "../run/runPlan";
import { EVENT_FILE, recordLengths } from "../run/tensorboard";
import { trainStages } from "../run/trainLoop";
import { nodeHost } from "./openNodeRun";
import { FolderStore, ServedFolder } from "./servedFolder";

const RUN = "served";
let folder: string;
let files: InMemoryFiles;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-node-run-"));
  const backend = await openWasmBackend();
  files = new InMemoryFiles(await (await tinyPolicy(backend)).toFiles());
  await backend.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const plan = (more: Partial<Parameters<typeof planOf>[0]> = {}): RunPlan =>
  planOf({ stages: ["grpo"], saveEvery: 1, policy: "tiny", backend: "wasm", lora: { rank: 2 }, ...more });

/** The host's events after some commands, in a session of its own. */
async function life(resume: boolean, ...commands: CommandBody[]): Promise<readonly Event[]> {
  return livedIn(folder, taskSource, resume, ...commands);
}

async function livedIn(
  where: string,
  source: ProblemSource,
  resume: boolean,
  ...commands: CommandBody[]
): Promise<readonly Event[]> {
  const events: Event[] = [];
  const served = await ServedFolder.take(where, (error) => {
    throw error;
  });
  served.begin(plan({ logs: { tensorboard: true, completions: true } }));
  const host = nodeHost({
    plan: plan(),
    source,
    files,
    store: new FolderStore(where),
    onStep: (metrics, groups) => served.step(metrics, groups),
    post: (event) => {
      served.follow(event);
      events.push(structuredClone(event));
    },
  });
  const settings = { maxNewTokens: 8, grpo: { prompts: 1, groupSize: 2, steps: 9 } };
  host.receive({ run: RUN, type: "open", source: { kind: "files", files: [] }, settings, backend: "wasm", resume });
  for (const command of commands) host.receive({ ...command, run: RUN });
  host.receive({ run: RUN, type: "close" });
  await host.idle();
  await served.release();
  return events;
}

test("a stopped run continues from its folder; its export is the adapter", async () => {
  const begun = await life(false, { type: "stage", stage: "grpo" }, { type: "step" });
  expect(begun.filter(({ type }) => type === "error")).toEqual([]);
  expect(begun.find(({ type }) => type === "opened")).toMatchObject({ resumed: false, start: "own", backend: "wasm" });
  expect(begun.filter(({ type }) => type === "stepped")).toHaveLength(1);
  const later = await life(true, { type: "step" }, { type: "export" });
  expect(later.find(({ type }) => type === "opened")).toMatchObject({
    resumed: true,
    stage: "grpo",
    step: 1,
    history: [{ step: 1 }],
    settings: { maxNewTokens: 8 },
  });
  expect(later.find(({ type }) => type === "stepped")).toMatchObject({ metrics: { step: 2 } });
  const exported = later.find((event) => event.type === "exported");
  expect(exported?.files.map(({ path }) => path)).toContain("adapter_model.safetensors");
  expect(exported?.files.map(({ path }) => path)).not.toContain("model.safetensors");
});

test("a lost device does not go on with a policy whose files have changed since", async () => {
  const where = join(folder, "changed");
  const events: Event[] = [];
  let changed = false;
  const host = nodeHost({
    plan: plan(),
    unchanged: async () => {
      if (changed) throw new Error("model.safetensors has another content");
    },
    source: taskSource,
    files,
    store: new FolderStore(where),
    post: (event) => {
      if (event.type === "opened") changed = true;
      events.push(structuredClone(event));
    },
  });
  host.receive({
    run: RUN,
    type: "open",
    source: { kind: "files", files: [] },
    settings: {},
    backend: "wasm",
    resume: false,
  });
  host.receive({ run: RUN, type: "loseDevice" });
  host.receive({ run: RUN, type: "step" });
  await host.idle();
  expect(events.some(({ type }) => type === "restored" || type === "stepped")).toBe(false);
  expect(events.find((event) => event.type === "error" && event.fatal)).toMatchObject({
    message: expect.stringContaining("model.safetensors has another content"),
  });
});

test("a run on a data set is served with its pictures and logged as train logs it, back as well", {
  timeout: 60_000,
}, async () => {
  const where = join(folder, "own");
  const { question, picture } = problemAt("train", 3);
  const image = { bytes: Buffer.from(await encodePng(picture)).toString("base64") };
  await writeFile(
    join(folder, "own.jsonl"),
    JSON.stringify({ id: "mine", question, answer: "7", images: [image, image], category: "own" }),
  );
  await writeFile(join(folder, "none.md"), "");
  const options = {
    train: join(folder, "own.jsonl"),
    heldOut: join(folder, "own.jsonl"),
    images: null,
    instruction: join(folder, "none.md"),
    reflections: null,
  };
  const { source } = await openDataSource(options, new RecordFaults("stop"));
  const steps: CommandBody[] = [
    { type: "stage", stage: "grpo" },
    { type: "step" },
    { type: "step" },
    { type: "sample", family: "own", greedy: true },
    { type: "evaluate", problems: 1 },
    { type: "reset" },
    { type: "stage", stage: "grpo" },
    { type: "step" },
  ];
  const events = await livedIn(where, source, false, ...steps);
  expect(events.filter(({ type }) => type === "error")).toEqual([]);
  expect(events.find((event) => event.type === "phase" && event.groups.length > 0)).toMatchObject({
    groups: [{ problem: { id: "mine", family: "own", picture, morePictures: [picture], answer: "7" } }],
  });
  expect(events.find(({ type }) => type === "evaluated")).toMatchObject({
    evaluation: { problems: 1, byFamily: { own: {} } },
  });
  // Two steps, taken back, and one.
  expect((await readFile(join(where, "metrics.jsonl"), "utf8")).trim().split("\n")).toHaveLength(1);
  expect(await readdir(join(where, "completions"))).toEqual(["grpo-000001.parquet"]);
  expect(recordLengths(await readFile(join(where, "tensorboard", EVENT_FILE)))).toHaveLength(2);

  // srpo train continues from there, and so does serving.
  const backend = await openWasmBackend();
  const served = plan({ logs: { tensorboard: true, completions: true } });
  const session = new Session(
    await Policy.load(backend, files, await loadOptions(served, configure(defaultSettings, {}))),
    defaultSettings,
    { source },
  );
  const run = new RunFolder(where, served);
  await run.restore(session);
  session.configure({ grpo: { steps: 2 } });
  await trainStages(session, { stages: ["grpo"], saveEvery: 1 }, run);
  await backend.dispose();
  expect(await readdir(join(where, "completions"))).toEqual(["grpo-000001.parquet", "grpo-000002.parquet"]);
  const later = await livedIn(where, source, true, { type: "step" });
  expect(later.find(({ type }) => type === "opened")).toMatchObject({
    resumed: true,
    stage: "grpo",
    step: 2,
    history: [{ step: 1 }, { step: 2 }],
  });
  expect(await readdir(join(where, "completions"))).toHaveLength(3);
});

test("a damaged newest save costs its steps, and it is said", async () => {
  const path = join(folder, "snapshot.bin");
  await writeFile(path, (await readFile(path)).subarray(0, 1000));
  const events = await life(true, { type: "pause" });
  expect(events.find(({ type }) => type === "opened")).toMatchObject({ resumed: true });
  expect(events.find(({ type }) => type === "saving")).toMatchObject({
    state: "olderSave",
    message: expect.stringContaining("snapshot") as string,
  });
});

test("a stored run of which nothing can be read is refused, and left as it is", async () => {
  const path = join(folder, "snapshot.bin");
  const spoilt = (await readFile(path)).subarray(0, 1000);
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".bin"));
  for (const name of files) await writeFile(join(folder, name), spoilt);
  const events = await life(true, { type: "pause" });
  expect(events.find(({ type }) => type === "error")).toMatchObject({
    fatal: true,
    message: expect.stringContaining("snapshot") as string,
  });
  expect(events.some(({ type }) => type === "opened")).toBe(false);
  expect(await readFile(path)).toEqual(spoilt);
});
