/**
 * The whole way of a full-size run on a checkpoint of the same structure and tiny sizes: a synthetic folder, its
 * weights packed, sampled from, an adapter trained by SFT and by GRPO against the base, written, and opened again. And
 * the same folder trained in full.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openDirectory, writeDirectory } from "../policy/checkpoint/checkpointDirectory";
import { LORA_TARGETS, type LoraOptions } from "../policy/layers/lora";
import { type EncodedPrompt, Policy } from "../policy/policy";
import { scoreResponse } from "../srpo/score";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { configure } from "../training/configure";
import { bankOf } from "../training/featureCache";
import type { TrainingRow } from "../training/microBatch";
import { Session } from "../training/session";
import { defaultSettings } from "../training/settings";
import { sftUpdate } from "../training/update";
import type { RunnerCommand } from "./arguments/command";
import { parseArguments } from "./arguments/usage";
import { synthCommand } from "./commands/synth";
import { trainCommand } from "./commands/train";
import { encodePng } from "./data/pictures";
import { reloadAdapter } from "./run/reloaded";

let folder: string;
const inFolder = (name: string): string => join(folder, name);

async function run(command: RunnerCommand, ...words: string[]): Promise<void> {
  const silenced = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, "write").mockImplementation(() => true),
  );
  try {
    expect(await command.run(parseArguments(words, command.flags))).toBe(0);
  } finally {
    for (const each of silenced) each.mockRestore();
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-whole-"));
  await run(synthCommand, "--shape", "tiny", "--out", inFolder("tiny"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const lora: LoraOptions = { rank: 4, alpha: 8, rankStabilised: true, targets: LORA_TARGETS, baseModel: "tiny" };
/** Rewards that differ between the samples of an untrained policy. */
const byLength: typeof scoreResponse = (text, ...rest) => {
  const score = scoreResponse(text, ...rest);
  return { ...score, terms: { ...score.terms, total: text.length / 100 } };
};
const same = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.compare(
    Buffer.from(a.buffer, a.byteOffset, a.byteLength),
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  ) === 0;

test("packed base, adapter, recomputed layers, on an adapter that binds little at once", {
  timeout: 120_000,
}, async () => {
  // As at full size, a weight then exceeds one binding and is processed in blocks of rows.
  const backend = await openNodeWebGpuBackend({ weightBindingBytes: 16384 });
  const files = await openDirectory(inFolder("tiny"));
  const options = { seed: 1, frozenFormat: "f16", recompute: true } as const;
  const policy = await Policy.load(backend, files, { ...options, lora });
  const picture = (side: number) => ({
    width: side,
    height: side,
    pixels: Uint8Array.from({ length: 3 * side * side }, (_, i) => (7 * i) % 256),
  });
  const prompts: EncodedPrompt[] = [
    policy.encodePrompt("How many?", picture(56)),
    policy.encodePrompt("Which?", picture(84)),
  ];

  const features = bankOf(policy, prompts);
  const rollout = await policy.generate(
    prompts,
    { groupSize: 2, temperature: 1, maxNewTokens: 5, seed: 0, step: 0, stopTokens: [] },
    features,
  );
  const rows = rollout.rows.map((row, i): TrainingRow => {
    const prompt = prompts[row.prompt];
    if (prompt === undefined) throw new Error(`no prompt ${row.prompt}`);
    return { prompt, tokens: row.tokens, weight: 1 / 20, advantage: i };
  });

  // SFT: the same gradient and the same loss, however the rows are split; the loss is that of sampling.
  const step = {
    temperature: 1,
    trainVision: false,
    features,
    learningRate: 1e-2,
    weightDecay: 0,
    maxGradNorm: 1,
    updates: 0,
  };
  const fresh = await policy.parameters.state();
  const gradients: Float32Array[] = [];
  const losses: number[] = [];
  for (const microBatchRows of [1, 3, 4]) {
    policy.parameters.restore(fresh);
    losses.push((await sftUpdate(policy, rows, { ...step, microBatchRows })).loss);
    gradients.push(await policy.parameters.readFlat("grad"));
  }
  const sampled = -rollout.rows.reduce((sum, row) => sum + row.logprobs.reduce((a, b) => a + b, 0), 0) / 20;
  for (const loss of losses) expect(loss).toBeCloseTo(sampled, 4);
  const [whole = new Float32Array(0)] = gradients.slice(-1);
  const norm = Math.hypot(...whole);
  expect(norm).toBeGreaterThan(0.1);
  for (const gradient of gradients)
    expect(Math.hypot(...gradient.map((value, i) => value - (whole[i] ?? NaN))) / norm).toBeLessThan(1e-5);
  features?.dispose();

  // GRPO with a KL term against the adapter switched off; SFT has moved the adapter, so the KL is not 0.
  const settings = configure(defaultSettings, {
    maxNewTokens: 8,
    microBatchRows: 2,
    grpo: { prompts: 1, groupSize: 3, beta: 0.05, learningRate: 1e-2 },
  });
  const session = new Session(policy, settings, { stage: "grpo", scorer: byLength });
  const metrics = await session.stepThrough();
  expect(metrics?.kl).toBeGreaterThan(1e-6);
  expect(metrics?.grad_norm).toBeGreaterThan(0);
  session.dispose();

  const greedy = { groupSize: 1, temperature: 1, greedy: true, maxNewTokens: 5, seed: 0, step: 0, stopTokens: [] };
  const [expected] = (await policy.generate(prompts, greedy)).rows;
  await writeDirectory(inFolder("adapter"), await policy.adapterFiles());
  await reloadAdapter(policy, inFolder("adapter"));
  const { theta } = await policy.parameters.state();
  policy.dispose();

  const again = await Policy.load(backend, files, { ...options, adapter: await openDirectory(inFolder("adapter")) });
  expect(same((await again.parameters.state()).theta, theta)).toBe(true);
  expect(again.model.lora?.options.rankStabilised).toBe(true);
  const [found] = (await again.generate(prompts, greedy)).rows;
  expect(found?.tokens).toEqual(expected?.tokens);
  expect(found?.logprobs).toEqual(expected?.logprobs);
  again.dispose();
  await backend.dispose();
});

test("trained in full on a data set, layers kept or made again: the same bits, written as a folder; refused where it " +
  "cannot fit", {
  timeout: 120_000,
}, async () => {
  const png = Buffer.from(
    await encodePng({ width: 28, height: 28, pixels: new Uint8Array(3 * 28 * 28).fill(90) }),
  ).toString("base64");
  const solution = (answer: string) => ({ think: "so many", answer });
  const of = (line: (i: number) => object): string => [0, 1, 2].map((i) => JSON.stringify(line(i))).join("\n");
  await writeFile(
    inFolder("data.jsonl"),
    of((i) => ({ id: `p${i}`, question: "How many?", answer: `${i}`, image: { bytes: png } })),
  );
  await writeFile(
    inFolder("reflections.jsonl"),
    of((i) => ({
      problem: `p${i}`,
      strategy: "correction",
      firstRight: false,
      firstSolution: solution("9"),
      reflection: "no",
      refinedSolution: solution(`${i}`),
    })),
  );
  const config = {
    policy: inFolder("tiny"),
    stages: ["sft", "grpo"],
    data: { train: inFolder("data.jsonl"), reflections: inFolder("reflections.jsonl") },
    settings: {
      seed: 5,
      maxNewTokens: 6,
      sft: { steps: 2, batchSize: 2, learningRate: 1e-2 },
      grpo: { steps: 1, prompts: 1, groupSize: 2, beta: 0.1 },
    },
  };
  const train = async (out: string, more: object): Promise<void> => {
    await writeFile(inFolder("run.json"), JSON.stringify({ ...config, ...more }));
    await run(trainCommand, "--config", inFolder("run.json"), "--out", inFolder(out));
  };
  const weights = (out: string) => readFile(join(inFolder(out), "model.safetensors"));
  await train("again", { recompute: "layers" });
  await train("kept", { recompute: "none" });
  expect(await weights("again/grpo")).toEqual(await weights("kept/grpo"));
  expect((await openDirectory(inFolder("kept/grpo"))).list()).toContain("tokenizer.json");
  const backend = await openWasmBackend();
  const [base, trained] = await Promise.all(
    ["tiny", "kept/sft"].map(async (name) =>
      Policy.load(backend, await openDirectory(inFolder(name)), { trainable: "none" }),
    ),
  );
  const norm = "model.norm.weight";
  expect(await trained?.parameters.read(norm)).not.toEqual(await base?.parameters.read(norm));
  await backend.dispose();

  await expect(train("refused", { memory: "1MB" })).rejects.toThrow(
    /does not fit on SIMD.*the run needs at least [\d.]+ MB \(.*trained values with gradient and moments/,
  );
});
