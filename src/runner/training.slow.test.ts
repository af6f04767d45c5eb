/** Training from the command line: runs that are killed and resumed, several workers, the learning table. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeDirectory } from "../policy/checkpoint/checkpointDirectory";
import { openWasmBackend } from "../tensor/wasm/backend";
import { teachFormat, tinyPolicy } from "../training/testing/tinyPolicy";
import { type Outcome, start, untilLines } from "./testing/spawned";

const TINY = [
  "--set",
  "sft.examples=12",
  "--set",
  "sft.steps=4",
  "--sft.batchSize",
  "6",
  "--grpo.prompts=2",
  "--grpo.groupSize",
  "3",
  "--set",
  "maxNewTokens=16",
];
let folder: string;

const srpo = (...args: string[]): Promise<Outcome> => start(args).done;
const inFolder = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-"));
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  await writeDirectory(inFolder("tiny"), await policy.toFiles());
  await backend.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("train", () => {
  /** Metrics without timings. */
  async function metrics(run: string): Promise<unknown[]> {
    const lines = (await readFile(join(run, "metrics.jsonl"), "utf8")).trim().split("\n");
    return lines.map((line) =>
      Object.fromEntries(
        Object.entries(JSON.parse(line) as Record<string, unknown>).filter(([key]) => !key.includes("time")),
      ),
    );
  }

  test("a killed run resumes to the same bits as one that was left alone", async () => {
    const args = ["train", "--policy", inFolder("tiny"), "--seed", "3", "--steps", "20", "--save-every", "3", ...TINY];
    const alone = await srpo(...args, "--out", inFolder("alone"));
    expect(alone.code).toBe(0);
    expect(alone.err).toMatch(/trainable parameters/);

    const { child, done } = start([...args, "--out", inFolder("killed")]);
    await untilLines(join(inFolder("killed"), "metrics.jsonl"), 10);
    child.kill("SIGKILL");
    await done;
    expect((await srpo(...args, "--out", inFolder("killed"))).code).toBe(2);
    const resumed = await srpo(...args, "--out", inFolder("killed"), "--resume");
    expect(resumed.err).toMatch(/resumed at/);
    expect(resumed.code).toBe(0);
    expect(await metrics(inFolder("killed"))).toEqual(await metrics(inFolder("alone")));
    expect(await readFile(join(inFolder("killed"), "grpo", "model.safetensors"))).toEqual(
      await readFile(join(inFolder("alone"), "grpo", "model.safetensors")),
    );
  });

  test("two workers train as three do, bit for bit", async () => {
    const args = [
      "train",
      "--policy",
      inFolder("tiny"),
      "--stage",
      "grpo",
      "--seed",
      "3",
      "--steps",
      "2",
      "--set",
      "microBatchRows=2",
      ...TINY,
    ];
    const [two, three] = await Promise.all([
      srpo(...args, "--workers", "2", "--out", inFolder("two")),
      srpo(...args, "--workers", "3", "--out", inFolder("three")),
    ]);
    expect(two.err).toMatch(/2 workers/);
    expect([two.code, three.code]).toEqual([0, 0]);
    expect(await readFile(join(inFolder("two"), "grpo", "model.safetensors"))).toEqual(
      await readFile(join(inFolder("three"), "grpo", "model.safetensors")),
    );
  });

  test("what was trained can be evaluated and sampled", async () => {
    const [evaluated, sampled] = await Promise.all([
      srpo("eval", "--policy", inFolder("tiny"), "--problems", "4", "--json", "--set", "maxNewTokens=16"),
      srpo(
        "sample",
        "--policy",
        inFolder("tiny"),
        "--problem",
        "bars:eval:7",
        "--json",
        "--set",
        "grpo.groupSize=2",
        "--set",
        "maxNewTokens=16",
        "--set",
        "rollout.slots=1",
      ),
    ]);
    expect(JSON.parse(evaluated.out)).toMatchObject({
      problems: 4,
      samples: 4,
      tokensPerSecond: expect.any(Number) as number,
    });
    expect(JSON.parse(sampled.out)).toMatchObject({ problem: { id: "bars:eval:7" }, samples: [{}, {}] });
    expect(sampled.err).toMatch(/sampled \d+ tokens in [\d.]+ s: [\d.,]+ tokens\/s/);
  });
});

test("the learning runs make a table of every seed and arm", async () => {
  const { code, out } = await start(
    [
      "--policy",
      inFolder("tiny"),
      "--out",
      inFolder("runs"),
      "--seeds",
      "0",
      "--problems",
      "4",
      "--every",
      "2",
      "--grpo.steps",
      "2",
      ...TINY,
    ],
    "src/runner/scripts/experiment.ts",
  ).done;
  expect(code).toBe(0);
  for (const heading of ["### sft", "### full", "### no-ieff"]) expect(out).toContain(heading);
  expect(JSON.parse(await readFile(join(inFolder("runs"), "learning.json"), "utf8"))).toHaveLength(3);
});
