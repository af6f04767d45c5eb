/** The command line as a user runs it: spawned, with its exit codes and one-line errors. */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeDirectory } from "../policy/checkpoint/checkpointDirectory";
import { openWasmBackend } from "../tensor/wasm/backend";
import { tinyPolicy } from "../training/testing/tinyPolicy";
import { type Outcome, start } from "./testing/spawned";

let folder: string;

const srpo = (...args: string[]): Promise<Outcome> => start(args).done;
const inFolder = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-"));
  const backend = await openWasmBackend();
  await writeDirectory(inFolder("tiny"), await (await tinyPolicy(backend)).toFiles());
  await backend.dispose();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("bad input: one clear line on stderr, exit 2", () => {
  test.each<[string, string[], RegExp]>([
    ["an unknown flag", ["score", "--imput", "x"], /unknown flag --imput/],
    ["a missing file", ["score", "--input", "nowhere.jsonl"], /nowhere.jsonl: does not exist/],
    [
      "an unknown matmul variant",
      ["eval", "--backend", "webgpu", "--matmul", "fast"],
      /--matmul: "fast" is not one of registerTiles, broadcastTiles, sharedTiles/,
    ],
    ["a folder without a policy", ["eval", "--policy", "src"], /config.json/],
  ])("%s", async (_what, args, message) => {
    const { code, out, err } = await srpo(...args);
    expect(err).toMatch(message);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(out).toBe("");
    expect(code).toBe(2);
  });
});

test("help lists the commands, and each command's flags", async () => {
  const [root, train] = await Promise.all([srpo("--help"), srpo("train", "--help")]);
  expect(root.code).toBe(0);
  for (const name of ["train", "sample", "score", "verify", "eval"]) expect(root.out).toContain(name);
  expect(train.out).toContain("--resume");
});

describe("grade", () => {
  const pairs = [
    { answer: "$8$ halves", gold: "8" },
    { answer: "\\sqrt{20}", truth: "2\\sqrt5" },
    { answer: 3.02, truth: 3, tolerance: "5%", answerKind: "number" },
  ];
  const graded = async (...more: readonly string[]): Promise<unknown[]> => {
    await writeFile(inFolder("pairs.jsonl"), pairs.map((pair) => JSON.stringify(pair)).join("\n"));
    const { code, out } = await srpo("grade", "--input", inFolder("pairs.jsonl"), ...more);
    expect(code).toBe(0);
    return out
      .trim()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
  };

  test("one JSON line a pair: verdict, reason and the forms compared", async () => {
    expect(await graded()).toEqual([
      {
        right: false,
        reason: "“8 halves” is not one number with a known unit; the right answer is “8”.",
        forms: { answer: "8 halves", truth: "8" },
      },
      {
        right: true,
        reason: "“sqrt(20)” and “2sqrt(5)” are the same number.",
        forms: { answer: "sqrt(20)", truth: "2sqrt(5)" },
      },
      {
        right: true,
        reason: "“3.02” and “3” are the same number, within the tolerance.",
        forms: { answer: "3.02", truth: "3" },
      },
    ]);
    expect(await graded("--grader", "exact")).toMatchObject([{ right: false }, { right: false }, { right: false }]);
  });

  test.each([
    ['{"answer": "8"}', /line 1: truth: is missing/],
    ['{"answer": "8", "truth": "8", "answerKind": "colour"}', /line 1: answerKind: expected one of letter, number/],
    ['{"answer": "8", "truth": "8", "tolerance": "much"}', /line 1: tolerance: expected a number from 0 on/],
    ["8", /line 1: value: /],
  ])("%s is named in one line", async (line, message) => {
    await writeFile(inFolder("bad-pairs.jsonl"), line);
    const { code, err } = await srpo("grade", "--input", inFolder("bad-pairs.jsonl"));
    expect(code).toBe(2);
    expect(err).toMatch(message);
    expect(err.trim().split("\n")).toHaveLength(1);
  });
});

describe("score", () => {
  test("one JSON line a case, with the vectors' keys and numbers", async () => {
    const vectors = (await readFile("src/srpo/golden/reward_cases.jsonl", "utf8"))
      .trim()
      .split("\n")
      .map((line): { id: string; paper: Record<string, number> } => JSON.parse(line));
    const { code, out } = await srpo(
      "score",
      "--input",
      "src/srpo/golden/reward_cases.jsonl",
      "--variant",
      "paper",
      "--tokens",
      "words",
    );
    expect(code).toBe(0);
    const scored = out
      .trim()
      .split("\n")
      .map((line): Record<string, number | string> => JSON.parse(line));
    expect(scored).toHaveLength(vectors.length);
    scored.forEach((line, i) => {
      expect(line.id).toBe(vectors[i]?.id);
      for (const [key, value] of Object.entries(vectors[i]?.paper ?? {}))
        expect(line[key], `${line.id} ${key}`).toBeCloseTo(value, 9);
    });
  });

  test("a line that is no case is named", async () => {
    await writeFile(inFolder("bad.jsonl"), `{"id": 1, "response": "a", "answer": 2}\n{"id": 2}\n`);
    const { code, out, err } = await srpo("score", "--input", inFolder("bad.jsonl"));
    expect(code).toBe(1);
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => "error" in JSON.parse(line)),
    ).toEqual([false, true]);
    expect(out).toMatch(/"error":"[^"]*response/);
    expect(err).toMatch(/bad.jsonl: 1 of 2 lines have no score/);
    const stopped = await srpo("score", "--input", inFolder("bad.jsonl"), "--on-error", "stop");
    expect(stopped.code).toBe(2);
    expect(stopped.err).toMatch(/bad.jsonl, line 2: response/);
  });

  test("lengths can be counted in the policy's tokens", async () => {
    await writeFile(
      inFolder("one.jsonl"),
      `{"id": "x", "response": "<think> A = 1 </think> <answer> 1 </answer>", "answer": "1"}\n`,
    );
    const { out } = await srpo(
      "score",
      "--input",
      inFolder("one.jsonl"),
      "--tokens",
      "policy",
      "--policy",
      inFolder("tiny"),
    );
    expect(JSON.parse(out)).toMatchObject({ id: "x", accuracy: 0.5 });
    expect((await srpo("score", "--input", inFolder("one.jsonl"), "--tokens", "policy")).code).toBe(2);
  });
});

describe("verify", () => {
  const golden = "src/policy/golden/tiny_tied";

  test("every tensor within tolerance: exit 0; another's numbers: exit 1", async () => {
    const wrong = inFolder("wrong");
    await mkdir(wrong);
    await copyFile(join(golden, "config.json"), join(wrong, "config.json"));
    const weights = await readFile(join(golden, "model.safetensors"));
    const at = weights.length - 64;
    weights.writeFloatLE(weights.readFloatLE(at) + 1, at);
    await writeFile(join(wrong, "model.safetensors"), weights);
    const [good, bad] = await Promise.all([
      srpo("verify", "--model", golden, "--backend", "wasm", "--json"),
      srpo("verify", "--model", wrong, "--golden", join(golden, "reference.safetensors")),
    ]);
    expect(good.code).toBe(0);
    expect(JSON.parse(good.out)).toMatchObject({ ok: true, backend: "wasm" });
    expect(bad.code).toBe(1);
    expect(bad.out).toContain("TOO LARGE");
  });

  test("a truncated file is named", async () => {
    const cut = inFolder("cut");
    await mkdir(cut);
    for (const name of ["config.json", "reference.safetensors"]) await copyFile(join(golden, name), join(cut, name));
    await writeFile(
      join(cut, "model.safetensors"),
      (await readFile(join(golden, "model.safetensors"))).subarray(0, 5000),
    );
    const { code, err } = await srpo("verify", "--model", cut);
    expect(code).toBe(2);
    expect(err).toMatch(/model.safetensors/);
  });
});
