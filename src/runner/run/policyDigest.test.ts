/** A run goes on only on the policy that it started with. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type PolicyDigest, policyDigest, refuseOtherPolicy } from "./policyDigest";

let root: string;
let started: PolicyDigest | undefined;
const file = (name: string): string => join(root, name);
const now = (): Promise<PolicyDigest> => policyDigest([file("policy"), file("adapter")], started ?? null);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "srpo-digest-"));
  await mkdir(file("policy"));
  await mkdir(file("adapter"));
  for (const name of [
    "policy/config.json",
    "policy/model-00001-of-00002.safetensors",
    "policy/tokenizer.json",
    "policy/README.md",
    "adapter/adapter_model.safetensors",
  ])
    await writeFile(file(name), `content of ${name}`);
  started = undefined;
  started = await now();
});
afterEach(() => rm(root, { recursive: true, force: true }));

test("each deciding file has its SHA-256", () => {
  expect(Object.keys(started ?? {})).toHaveLength(4);
  const sum = createHash("sha256").update("content of policy/tokenizer.json").digest("hex");
  expect(started?.[file("policy/tokenizer.json")]?.sha256).toBe(sum);
});

test("the same files, or a run from before there were digests: nothing is said", async () => {
  await writeFile(file("policy/README.md"), "something else");
  refuseOtherPolicy(started ?? null, await now(), "runs/a");
  refuseOtherPolicy(null, await now(), "runs/a");
});

test("a file that was copied back or touched is read again, and found the same", async () => {
  const path = file("policy/tokenizer.json");
  await writeFile(path, "content of policy/tokenizer.json");
  const again = await now();
  expect(again[path]?.status).not.toBe(started?.[path]?.status);
  refuseOtherPolicy(started ?? null, again, "runs/a");
});

test.each<[string, () => Promise<void>, RegExp]>([
  [
    "other weights of the same size",
    () =>
      writeFile(file("policy/model-00001-of-00002.safetensors"), "CONTENT of policy/model-00001-of-00002.safetensors"),
    /model-00001-of-00002\.safetensors has another content\)/,
  ],
  [
    "another adapter",
    () => writeFile(file("adapter/adapter_model.safetensors"), ""),
    /adapter_model\.safetensors has an/,
  ],
  ["another tokenizer", () => writeFile(file("policy/tokenizer.json"), "{}"), /tokenizer\.json has another content/],
  [
    "a missing shard",
    () => rm(file("policy/model-00001-of-00002.safetensors")),
    /00001-of-00002\.safetensors is missing/,
  ],
  [
    "new end tokens",
    () => writeFile(file("policy/generation_config.json"), "{}"),
    /generation_config\.json was not there/,
  ],
])("%s: the file is named", async (_what, change, message) => {
  await change();
  const changed = await now();
  expect(() => refuseOtherPolicy(started ?? null, changed, "runs/a")).toThrow(message);
  expect(() => refuseOtherPolicy(started ?? null, changed, "runs/a")).toThrow(
    /the policy of the run in runs\/a is not the one/,
  );
});
