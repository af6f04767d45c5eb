/**
 * A run from a file that trains an adapter: killed and resumed to the same bits, its result in PEFT's layout and
 * checked after writing.
 */
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDirectory, writeDirectory } from "../policy/checkpoint/checkpointDirectory";
import { Safetensors } from "../policy/checkpoint/safetensors";
import { Policy } from "../policy/policy";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { teachFormat, tinyPolicy } from "../training/testing/tinyPolicy";
import { reloadAdapter } from "./run/reloaded";
import { EVENT_FILE, recordLengths } from "./run/tensorboard";
import { start, untilLines } from "./testing/spawned";

let folder: string;
let backend: Backend;
const inFolder = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-adapter-"));
  backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  await writeDirectory(inFolder("tiny"), await policy.toFiles());
  policy.dispose();
});
afterAll(async () => {
  await backend.dispose();
  await rm(folder, { recursive: true, force: true });
});

test("a killed adapter run resumes to the same bits, and its adapter opens again", async () => {
  const config = {
    policy: inFolder("tiny"),
    saveEvery: 2,
    lora: { rank: 2, alpha: 8, targets: ["q_proj", "down_proj"] },
    settings: {
      seed: 5,
      maxNewTokens: 40,
      sft: { examples: 8, steps: 4, batchSize: 4 },
      grpo: { steps: 12, prompts: 2, groupSize: 6, beta: 0.1, learningRate: 1e-3 },
    },
  };
  await writeFile(inFolder("run.json"), JSON.stringify(config));
  const args = ["train", "--config", inFolder("run.json")];
  const alone = await start([...args, "--out", inFolder("alone")]).done;
  expect(alone.err).not.toMatch(/srpo:/);
  expect(alone.code).toBe(0);

  const { child, done } = start([...args, "--out", inFolder("killed")]);
  await untilLines(join(inFolder("killed"), "metrics.jsonl"), 7);
  child.kill("SIGKILL");
  await done;
  const resumed = await start([...args, "--out", inFolder("killed"), "--resume"]).done;
  expect(resumed.err).toMatch(/resumed at/);
  expect(resumed.code).toBe(0);
  for (const stage of ["sft", "grpo"]) {
    expect(await readFile(join(inFolder("killed"), stage, "adapter_model.safetensors"))).toEqual(
      await readFile(join(inFolder("alone"), stage, "adapter_model.safetensors")),
    );
  }

  // Every log equals that of the uninterrupted run.
  const completions = await readdir(join(inFolder("alone"), "completions"));
  expect(completions).toHaveLength(12);
  expect(await readdir(join(inFolder("killed"), "completions"))).toEqual(completions);
  for (const table of completions)
    expect(await readFile(join(inFolder("killed"), "completions", table))).toEqual(
      await readFile(join(inFolder("alone"), "completions", table)),
    );
  const events = join("tensorboard", EVENT_FILE);
  expect(recordLengths(await readFile(join(inFolder("killed"), events)))).toEqual(
    recordLengths(await readFile(join(inFolder("alone"), events))),
  );
  expect(recordLengths(await readFile(join(inFolder("killed"), events)))).toHaveLength(1 + 4 + 12);

  // Without this, a run that learns nothing would pass for one that resumes correctly.
  expect(await readFile(join(inFolder("alone"), "grpo", "adapter_model.safetensors"))).not.toEqual(
    await readFile(join(inFolder("alone"), "sft", "adapter_model.safetensors")),
  );

  const adapter = await openDirectory(join(inFolder("alone"), "grpo"));
  expect(adapter.list()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  const trained = Safetensors.open(await adapter.read("adapter_model.safetensors"), "adapter_model.safetensors");
  expect(trained.names()).toContain("base_model.model.model.language_model.layers.1.mlp.down_proj.lora_B.weight");
  expect(JSON.parse(new TextDecoder().decode(await adapter.read("adapter_config.json")))).toMatchObject({
    r: 2,
    lora_alpha: 8,
    peft_type: "LORA",
    base_model_name_or_path: inFolder("tiny"),
  });
  const policy = await Policy.load(backend, await openDirectory(inFolder("tiny")), { adapter });
  await reloadAdapter(policy, join(inFolder("alone"), "grpo"));

  // Another step's adapter in its place is noticed, and the trained values are kept.
  const before = (await policy.parameters.state()).theta;
  await copyFile(
    join(inFolder("alone"), "sft", "adapter_model.safetensors"),
    join(inFolder("alone"), "grpo", "adapter_model.safetensors"),
  );
  await expect(reloadAdapter(policy, join(inFolder("alone"), "grpo"))).rejects.toThrow(
    /differs from the trained values/,
  );
  expect((await policy.parameters.state()).theta).toEqual(before);
  policy.dispose();

  for (const [flag, value, message] of [
    ["--seed", "9", /started with seed 5, not 9/],
    ["--policy", "public/policies/base", /started with policy .*tiny", not .*base"/],
    ["--recipe", "grpo", /started with recipe "srpo", not "grpo"/],
    ["--stage", "grpo", /started with stages \["sft","grpo"\], not \["grpo"\]/],
  ] as const) {
    const refused = await start([...args, "--out", inFolder("alone"), "--resume", flag, value]).done;
    expect(refused.err).toMatch(message);
    expect(refused.code).toBe(2);
  }

  await writeFile(inFolder("run.json"), JSON.stringify({ ...config, lora: { ...config.lora, rank: 4 } }));
  const other = await start([...args, "--out", inFolder("alone"), "--resume"]).done;
  expect(other.err).toMatch(/started with lora .*"rank":2.*, not .*"rank":4/);
  expect(other.code).toBe(2);
});
