/** synth, inspect and packed verify, as the command line calls them. */
import { mkdtemp, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { openDirectory } from "../policy/checkpoint/checkpointDirectory";
import { Policy } from "../policy/policy";
import { openWasmBackend } from "../tensor/wasm/backend";
import { byteCount, readableBytes } from "./arguments/bytes";
import type { RunnerCommand } from "./arguments/command";
import { parseArguments, UsageError } from "./arguments/usage";
import { inspectCommand } from "./commands/inspect";
import { synthCommand } from "./commands/synth";
import { verifyCommand } from "./commands/verify";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-"));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.restoreAllMocks());

/** Run a command as the command line would. → its exit code and what it printed */
async function run(command: RunnerCommand, ...words: string[]): Promise<{ code: number; out: string }> {
  let out = "";
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    out += String(chunk);
    return true;
  });
  try {
    return { code: await command.run(parseArguments(words, command.flags)), out };
  } finally {
    stdout.mockRestore();
  }
}

test("a synthetic checkpoint in shards is inspected, planned for, and loads; a cut shard is named", async () => {
  const at = join(folder, "tiny");
  expect((await run(synthCommand, "--shape", "tiny", "--out", at, "--shard-size", "100KB")).out).toMatch(
    /tiny in bf16, 470 KB in 6 shards/,
  );
  await expect(run(synthCommand, "--shape", "tiny", "--out", at)).rejects.toThrow(UsageError);
  const json = await run(
    inspectCommand,
    at,
    "--packing",
    "int4",
    "--group",
    "4",
    "--prompt",
    "100",
    "--completion",
    "50",
    "--backend",
    "wasm",
    "--json",
  );
  expect(json.code).toBe(0);
  const report: unknown = JSON.parse(json.out);
  expect(report).toMatchObject({
    parametersOnDisk: 234_960,
    bytesOnDisk: 469_920,
    numberFormats: ["BF16"],
    fits: true,
    plan: { cacheFormat: "f16", kvCacheOfToken: 256, kvCache: 256 * (99 + 200) },
  });
  const told = await run(inspectCommand, at, "--backend", "wasm", "--memory", "1MB");
  expect(told.code).toBe(1);
  expect(told.out).toMatch(
    new RegExp(
      [
        "234,960 parameters",
        "frozen weights in f16",
        "logits in training: never stored",
        "does not fit in 1.00 MB",
      ].join("[\\s\\S]*"),
    ),
  );

  const backend = await openWasmBackend();
  const policy = await Policy.load(backend, await openDirectory(at), { trainable: "none", frozenFormat: "f16" });
  const prompt = policy.encodePrompt("How many?", { width: 56, height: 56, pixels: new Uint8Array(3 * 56 * 56) });
  const { rows } = await policy.generate([prompt], {
    groupSize: 2,
    temperature: 1,
    maxNewTokens: 4,
    seed: 0,
    step: 0,
    stopTokens: [],
  });
  for (const row of rows) expect(policy.tokenizer.decode(row.tokens).length).toBeGreaterThan(0);
  await backend.dispose();

  await truncate(join(at, "model-00003-of-00006.safetensors"), 30_000);
  await expect(run(inspectCommand, at, "--backend", "wasm")).rejects.toThrow(
    /tiny: model-00003-of-00006\.safetensors: tensor \S+: data ends at byte \d+, but the file has only 30000/,
  );
});

test("the same seed writes the same bytes, another one other weights", async () => {
  const write = async (name: string, ...more: string[]): Promise<Buffer> => {
    await run(synthCommand, "--shape", "tiny", "--out", join(folder, name), "--dtype", "f32", ...more);
    return readFile(join(folder, name, "model.safetensors"));
  };
  const first = await write("a");
  expect(first.equals(await write("b"))).toBe(true);
  expect(first.equals(await write("c", "--seed", "1"))).toBe(false);
  expect(await readFile(join(folder, "a", "tokenizer.json"), "utf8")).toBe(
    await readFile(join(folder, "tiny", "tokenizer.json"), "utf8"),
  );
});

test("packed weights are verified against their own values", async () => {
  const golden = "src/policy/golden/tiny_tied";
  const { code, out } = await run(
    verifyCommand,
    "--model",
    golden,
    "--adapter",
    join(golden, "lora"),
    "--packing",
    "int4",
    "--backend",
    "wasm",
    "--json",
  );
  const report: { ok: boolean; packing: string; tensors: { name: string; tolerance: number }[] } = JSON.parse(out);
  expect([code, report.ok, report.packing]).toEqual([0, true, "int4"]);
  expect(report.tensors.find(({ name }) => name === "logits")?.tolerance).toBe(1e-3);
  expect(report.tensors.some(({ name }) => name.startsWith("grad."))).toBe(true);
});

test("sizes are read and written in decimal units", () => {
  expect([byteCount("x", "5GB"), byteCount("x", "1.5 mb"), byteCount("x", "7")]).toEqual([5e9, 1.5e6, 7]);
  expect([7.51e9, 470e3, 12].map(readableBytes)).toEqual(["7.51 GB", "470 KB", "12 bytes"]);
  expect(() => byteCount("shard-size", "much")).toThrow('--shard-size: "much" is not a size');
  expect(() => byteCount("shard-size", "0GB")).toThrow(UsageError);
});
