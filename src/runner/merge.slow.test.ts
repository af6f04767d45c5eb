/** `srpo merge` on the command line: what it writes is what verify accepts as base and adapter together. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { start } from "./testing/spawned";

const BASE = "src/policy/golden/tiny_tied";
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-merge-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("writes a folder once, and refuses to write over one", async () => {
  const out = join(folder, "merged");
  const args = ["merge", "--model", BASE, "--adapter", join(BASE, "lora"), "--out", out];
  const first = await start(args).done;
  expect(first.err).toBe("");
  expect(first.code).toBe(0);
  expect((await readdir(out)).sort()).toEqual([
    "about.json",
    "config.json",
    "generation_config.json",
    "model.safetensors",
  ]);
  const again = await start(args).done;
  expect(again.err).toMatch(/--out \S+ is not empty \(.+, …\): choose a new or empty folder/);
  expect(again.code).toBe(2);
});

test("a folder that is no adapter is named", async () => {
  const { code, err } = await start(["merge", "--model", BASE, "--adapter", BASE, "--out", join(folder, "none")]).done;
  expect(err).toMatch(/adapter_config.json/);
  expect(code).toBe(2);
});
