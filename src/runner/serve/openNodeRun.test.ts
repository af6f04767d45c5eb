/** A served run over its life: begun, stepped, stopped, and found again by another process, or refused whole. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { InMemoryFiles } from "../../policy/checkpointFiles";
import { openWasmHome } from "../../tensor/wasm/home";
import { tinyPolicy } from "../../training/tinyPolicy";
import type { CommandBody } from "../../worker/client";
import type { Event } from "../../worker/protocol";
import { loraSchema } from "../runConfig";
import { nodeHost } from "./openNodeRun";
import { FolderStore } from "./servedFolder";

const RUN = "served";
let folder: string;
let files: InMemoryFiles;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-node-run-"));
  const home = await openWasmHome();
  files = new InMemoryFiles(await (await tinyPolicy(home)).toFiles());
  await home.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the host says to some commands, in a life of its own. */
async function life(resume: boolean, ...commands: CommandBody[]): Promise<readonly Event[]> {
  const events: Event[] = [];
  const host = nodeHost({ record: { policy: "tiny", lora: loraSchema.parse({ rank: 2 }) }, files, store: new FolderStore(folder), post: (event) => events.push(structuredClone(event)) });
  const settings = { maxNewTokens: 8, grpo: { prompts: 1, groupSize: 2, steps: 9 } };
  host.receive({ run: RUN, type: "open", source: { kind: "files", files: [] }, settings, home: "wasm", resume });
  for (const command of commands) host.receive({ ...command, run: RUN });
  host.receive({ run: RUN, type: "close" });
  await host.idle();
  return events;
}

test("a run that was stopped goes on from its folder; its export is the adapter", async () => {
  const begun = await life(false, { type: "stage", stage: "grpo" }, { type: "step" });
  expect(begun.filter(({ type }) => type === "error")).toEqual([]);
  expect(begun.find(({ type }) => type === "opened")).toMatchObject({ resumed: false, start: "own", home: "wasm" });
  expect(begun.filter(({ type }) => type === "stepped")).toHaveLength(1);
  const later = await life(true, { type: "step" }, { type: "export" });
  expect(later.find(({ type }) => type === "opened")).toMatchObject({ resumed: true, stage: "grpo", step: 1, history: [{ step: 1 }], settings: { maxNewTokens: 8 } });
  expect(later.find(({ type }) => type === "stepped")).toMatchObject({ metrics: { step: 2 } });
  const exported = later.find((event) => event.type === "exported");
  expect(exported?.files.map(({ path }) => path)).toContain("adapter_model.safetensors");
  expect(exported?.files.map(({ path }) => path)).not.toContain("model.safetensors");
});

test("a stored run that cannot be read is refused, and left as it is", async () => {
  const path = join(folder, "snapshot.bin");
  const spoilt = (await readFile(path)).subarray(0, 1000);
  await writeFile(path, spoilt);
  const events = await life(true, { type: "pause" });
  expect(events.find(({ type }) => type === "error")).toMatchObject({ fatal: true, message: expect.stringContaining("snapshot") as string });
  expect(events.some(({ type }) => type === "opened")).toBe(false);
  expect(await readFile(path)).toEqual(spoilt);
});
