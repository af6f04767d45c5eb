/** A data set checked before a run: every row in order, with its tokens or why it would be skipped. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../policy/checkpoint/config";
import { PromptEncoder } from "../../policy/processor/promptEncoder";
import { configure } from "../../training/configure";
import type { PromptReader } from "../../training/promptCheck";
import { defaultSettings } from "../../training/settings";
import { tinyFolder } from "../../training/testing/tinyPolicy";
import { type CheckedRecord, checkRecords, checkReflections } from "./dataCheck";
import { encodePng } from "./pictures";

let folder: string;
let policy: PromptReader;
const inFolder = (name: string): string => join(folder, name);
const settings = configure(defaultSettings, { maxNewTokens: 64 });
const options = { images: null, instruction: "", maxPromptTokens: null, settings };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-check-"));
  const files = tinyFolder();
  const config = parseConfig(new TextDecoder().decode(await files.read("config.json")));
  const encoder = await PromptEncoder.open(files, config);
  if (encoder === null) throw new Error("the tiny folder has no tokenizer");
  policy = {
    config,
    measurePrompt: (question, pictures) => encoder.measure(question, pictures),
    encodeResponse: (text) => encoder.encodeResponse(text),
  };
  const image = async (width: number, height: number): Promise<string> =>
    Buffer.from(await encodePng({ width, height, pixels: new Uint8Array(3 * width * height) })).toString("base64");
  const lines = [
    "{",
    { id: "small", question: "answer is", answer: 1, image: await image(16, 8) },
    { id: "large", question: "answer is", answer: 1, images: [await image(32, 32), await image(16, 8)] },
    { id: "wide", question: "answer is", answer: 1, image: await image(202, 1) },
    { id: "other", question: "zyzzyva", answer: 1, image: await image(16, 8) },
    { id: "huge", question: "answer is ".repeat(300), answer: 1, image: await image(16, 8) },
    { id: "none", question: "answer is", answer: 1, image: "none.png" },
    { id: "empty", question: "answer is", image: await image(16, 8) },
    { id: "kind", question: "answer is", answer: "abc", answerKind: "number", image: await image(16, 8) },
  ];
  const jsonl = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  await writeFile(inFolder("data.jsonl"), jsonl.join("\n"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function all<T>(generator: AsyncGenerator<T>): Promise<T[]> {
  const made: T[] = [];
  for await (const each of generator) made.push(each);
  return made;
}

test("each row in order; cells of 8 × 8 pixels are a token each", async () => {
  const checked = await all(checkRecords(inFolder("data.jsonl"), policy, options));
  expect(checked.map(({ row, line, id }) => [row, line, id])).toEqual([
    [0, 1, undefined],
    [1, 2, "small"],
    [2, 3, "large"],
    [3, 4, "wide"],
    [4, 5, "other"],
    [5, 6, "huge"],
    [6, 7, "none"],
    [7, 8, "empty"],
    [8, 9, "kind"],
  ]);
  const [json, small, large, ...bad] = checked;
  expect(json?.error).toMatch(/^not JSON/);
  expect(small).toMatchObject({ pictureTokens: 2, size: [[16, 8]], error: null });
  expect(large).toMatchObject({
    pictureTokens: 18,
    size: [
      [32, 32],
      [16, 8],
    ],
    error: null,
  });
  // 16 picture tokens more, and for the second picture its two brackets.
  expect((large?.promptTokens ?? 0) - (small?.promptTokens ?? 0)).toBe(16 + 2);
  expect(bad.map(({ error }) => error)).toEqual([
    expect.stringMatching(/202×1 pixels, an aspect ratio of 202.0/),
    expect.stringMatching(/zyzzyva/),
    expect.stringMatching(/^the prompt has 6\d\d tokens and a response of maxNewTokens 64, together more than the 512/),
    expect.stringMatching(/none.png does not exist/),
    "answer: is missing",
    'no answer can be right: "abc" is not of its answerKind "number"',
  ]);
  expect(bad[0]).toMatchObject({ size: [[202, 1]] });
  const limited = await all(
    checkRecords(inFolder("data.jsonl"), policy, { ...options, maxPromptTokens: small?.promptTokens ?? 0 }),
  );
  expect(limited[1]).toMatchObject({ error: null });
  expect(limited[2]?.error).toMatch(/more than data.maxPromptTokens \(\d+\) allows/);
});

test("the measure is what the encoder makes", async () => {
  const encoder = await PromptEncoder.open(
    tinyFolder(),
    parseConfig(new TextDecoder().decode(await tinyFolder().read("config.json"))),
  );
  for (const [width, height] of [
    [16, 8],
    [31, 57],
    [4, 300],
  ] as const) {
    const pictures = [{ width, height, pixels: new Uint8Array(3 * width * height) }];
    const { ids, images } = encoder?.encode("answer is", pictures) ?? { ids: [], images: [] };
    const measured = encoder?.measure("answer is", pictures);
    expect(measured?.tokens).toBe(ids.length);
    expect(measured?.pictures[0]?.tokens).toBe(((images[0]?.grid.height ?? 0) * (images[0]?.grid.width ?? 0)) / 4);
  }
});

test("where no row is a record, each is still named", async () => {
  await writeFile(inFolder("bad.jsonl"), "{}\n\n[");
  const checked = await all(checkRecords(inFolder("bad.jsonl"), policy, options));
  expect(checked.map(({ line, error }) => [line, error])).toEqual([
    [1, "answer: is missing"],
    [3, expect.stringMatching(/^not JSON/)],
  ]);
});

test("reflections are measured with their prompts", async () => {
  const solution = { think: "A = 1", answer: "1" };
  const example = (problem: string, reflection: string, more: object = {}): object => ({
    problem,
    strategy: "correction",
    firstRight: false,
    firstSolution: solution,
    reflection,
    refinedSolution: solution,
    ...more,
  });
  const lines = [
    example("small", "answer is 1"),
    { problem: "large", discarded: "the policy's answer could not be parsed", cost: {} },
    example("none", "answer is 1"),
    example("large", "answer is ".repeat(300)),
    example("large", "answer is <think> 1"),
    example("large", "zyzzyva"),
    { ...example("large", "answer is"), reflection: undefined },
  ];
  await writeFile(inFolder("reflections.jsonl"), lines.map((line) => JSON.stringify(line)).join("\n"));
  const prompts = new Map([
    ["small", 20],
    ["large", 38],
  ]);
  const checked: CheckedRecord[] = await all(
    checkReflections(inFolder("reflections.jsonl"), prompts, "data.jsonl", policy, settings),
  );
  expect(checked.map(({ line, id, error }) => [line, id, error])).toEqual([
    [1, "small", null],
    [3, "none", expect.stringMatching(/"none", which is not in data.jsonl or cannot be used there/)],
    [4, "large", expect.stringMatching(/^the prompt has 38 tokens and the response 6\d\d, together more than the 512/)],
    [5, "large", expect.stringMatching(/holds the tag <think>/)],
    [6, "large", expect.stringMatching(/zyzzyva/)],
    [7, undefined, "reflection: is missing"],
  ]);
  expect(checked[0]).toMatchObject({ promptTokens: 20, responseTokens: policy.encodeResponse(RESPONSE).length });
});

const RESPONSE =
  "<think> A = 1 </think> <answer> 1 </answer> <reflection> answer is 1 </reflection> <think> A = 1 </think> " +
  "<answer> 1 </answer>";
