/** Data sets in every form that images come in, and what is said about rows that cannot be used. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatTemplate } from "../../policy/processor/chatTemplate";
import { problemRecord } from "../../training/dataCursor";
import type { ProblemSource } from "../../training/problemSource";
import { scoreGroups } from "../../training/score";
import { defaultSettings } from "../../training/settings";
import { openDataRecords } from "./dataRecords";
import { type DataOptions, openDataSource } from "./dataSource";
import { encodePng } from "./pictures";
import { RecordFaults } from "./recordFaults";

let folder: string;
const inFolder = (name: string): string => join(folder, name);
const picture = (shade: number) => ({ width: 4, height: 3, pixels: new Uint8Array(36).fill(shade) });
const png = (shade: number): Promise<Uint8Array> => encodePng(picture(shade));
const base64 = async (shade: number): Promise<string> => Buffer.from(await png(shade)).toString("base64");
const sampled = (text: string) => ({
  text,
  tokens: [],
  tokenIds: [],
  logprobs: [],
  entropies: [],
  segments: [],
  finished: true,
});
const lines = (records: readonly unknown[]): string => records.map((record) => JSON.stringify(record)).join("\n");

async function options(name: string, more: Partial<DataOptions> = {}): Promise<DataOptions> {
  await writeFile(inFolder("nothing.md"), "");
  return {
    train: inFolder(name),
    heldOut: null,
    images: null,
    instruction: inFolder("nothing.md"),
    reflections: null,
    ...more,
  };
}

const openSource = async (from: DataOptions): Promise<ProblemSource> =>
  (await openDataSource(from, new RecordFaults("stop"))).source;
const accepted = (): number => 1;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-data-"));
  await mkdir(inFolder("pictures"));
  await writeFile(inFolder("pictures/10.png"), await png(10));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a record may require a kind of answer and allow a tolerance; both reach the scorer", async () => {
  const record = { image: "pictures/10.png", question: "how dark ?", answer: "10" };
  await writeFile(
    inFolder("rules.jsonl"),
    lines([{ ...record, answerKind: "number", tolerance: "5%" }, { ...record, answerKind: "text" }, record]),
  );
  const source = await openSource(await options("rules.jsonl"));
  const right = async (id: string, answer: string): Promise<boolean | undefined> => {
    const problem = problemRecord(await source.problemOf(id));
    const text = `<think> t </think> <answer> ${answer} </answer>`;
    const [scored] = scoreGroups([{ problem, samples: [sampled(text)] }], defaultSettings, (words) => words.length);
    const score = scored?.samples[0]?.score;
    return score && "firstRight" in score ? score.firstRight : undefined;
  };
  expect(await source.problemOf("0")).toMatchObject({ answerKind: "number", tolerance: "5%" });
  expect(await Promise.all([right("0", "10.4"), right("0", "10.6"), right("0", "ten")])).toEqual([true, false, true]);
  expect(await Promise.all([right("1", "10"), right("1", "ten")])).toEqual([true, false]);
  expect(await Promise.all([right("2", "ten"), right("2", "10.4")])).toEqual([true, false]);
});

test.each([
  [{ answerKind: "colour" }, /line 1: answerKind: expected one of letter, number/],
  [{ tolerance: "a little" }, /line 1: tolerance: expected a number from 0 on/],
  [{ tolerance: -1 }, /line 1: tolerance: /],
])("a rule that is none is named: %j", async (rule, message) => {
  await writeFile(
    inFolder("no-rule.jsonl"),
    lines([{ image: "pictures/10.png", question: "?", answer: "1", ...rule }]),
  );
  await expect(openSource(await options("no-rule.jsonl"))).rejects.toThrow(message);
});

test("images by path, data URL and base64, one or several, are decoded as they are", async () => {
  await writeFile(
    inFolder("a.jsonl"),
    lines([
      { image: "pictures/10.png", question: "how dark ?", answer: 10 },
      {
        id: "url",
        images: [`data:image/png;base64,${await base64(20)}`],
        problem: "how dark ?",
        answer: "20",
        category: "grey",
      },
      {
        id: "two",
        images: [{ bytes: await base64(30), path: null }, { path: "pictures/10.png" }],
        question: "<image> or <image> ?",
        answer: true,
      },
    ]),
  );
  const source = await openSource(await options("a.jsonl"));
  expect(await source.problemOf("0")).toEqual({
    id: "0",
    family: "data",
    picture: picture(10),
    question: "how dark ?",
    answer: "10",
  });
  expect(await source.problemOf("url")).toMatchObject({ family: "grey", picture: picture(20), answer: "20" });
  expect(await source.problemOf("two")).toMatchObject({
    picture: picture(30),
    morePictures: [picture(10)],
    answer: "true",
  });
  await expect(source.problemOf("three")).rejects.toThrow(/no record "three"/);
});

test("parquet, with plain bytes or Hugging Face's structure", async () => {
  const table = parquetWriteBuffer({
    columnData: [
      { name: "question", data: ["q0", "q1"], type: "STRING" },
      { name: "answer", data: [5n, 6n], type: "INT64" },
      { name: "image", data: [await png(1), await png(2)], type: "BYTE_ARRAY" },
    ],
  });
  await writeFile(inFolder("a.parquet"), new Uint8Array(table));
  const source = await openSource(await options("a.parquet"));
  expect(await source.problemOf("1")).toEqual({
    id: "1",
    family: "data",
    picture: picture(2),
    question: "q1",
    answer: "6",
  });

  const nested = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 3 },
      { name: "problem", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "answer", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "image", num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
    ],
    columnData: [
      { name: "problem", data: ["p0"] },
      { name: "answer", data: ["a0"] },
      { name: "image", data: [{ bytes: await png(3), path: null }] },
    ],
  });
  await writeFile(inFolder("b.parquet"), new Uint8Array(nested));
  expect(await (await openSource(await options("b.parquet"))).problemOf("0")).toMatchObject({
    picture: picture(3),
    question: "p0",
  });
});

test("each stage goes through the set in epochs, shuffled by the seed, wherever the cursor stands", async () => {
  await writeFile(
    inFolder("five.jsonl"),
    lines(Array.from({ length: 5 }, (_, i) => ({ id: `r${i}`, image: "pictures/10.png", question: "q", answer: i }))),
  );
  const source = await openSource(await options("five.jsonl", { heldOut: inFolder("a.jsonl") }));
  const ids = async (stage: "sft" | "grpo", cursor: number, count: number, seed = 0): Promise<string[]> =>
    (await source.training(stage, cursor, count, { ...defaultSettings, seed }, accepted)).items.map(({ id }) => id);
  const whole = await ids("grpo", 0, 15);
  for (const epoch of [0, 5, 10]) expect(whole.slice(epoch, epoch + 5).sort()).toEqual(["r0", "r1", "r2", "r3", "r4"]);
  expect([...(await ids("grpo", 0, 4)), ...(await ids("grpo", 4, 11))]).toEqual(whole);
  expect(await ids("grpo", 0, 15, 1)).not.toEqual(whole);
  expect(await ids("sft", 0, 15)).not.toEqual(whole);
  const { items, skipped } = await source.heldOut(2, defaultSettings, accepted);
  expect(items.map(({ id }) => id)).toEqual(["0", "url"]);
  expect(skipped).toBe(0);
  await expect(source.heldOut(4, defaultSettings, accepted)).rejects.toThrow(/contains 3 problems/);
  expect((await source.requested(3, "grey", defaultSettings, accepted)).id).toBe("url");
});

test("the instruction stands below the question; ours asks for the format", async () => {
  const source = await openSource(await options("a.jsonl", { instruction: null }));
  expect((await source.problemOf("0")).question).toMatch(/^how dark \?\n\nAnswer in two rounds[\s\S]*<reflection>/);
});

test("pictures stand where the question names them, else before it", () => {
  const template = ChatTemplate.fromSource(
    "{% for m in messages %}{% for c in m.content %}{% if c.type == 'image' %}[I]{% else %}{{ c.text }}{% endif %}{% " +
      "endfor %}{% endfor %}",
  );
  expect(template.renderQuestion("what ?")).toBe("[I]what ?");
  expect(template.renderQuestion("is <image> like <image> ?", 2)).toBe("is [I] like [I] ?");
  expect(template.renderQuestion("<image>what ?", 1)).toBe("[I]what ?");
  expect(template.renderQuestion("is <image> so ?", 2)).toBe("[I][I]is <image> so ?");
});

describe("what cannot be used is refused by file, row and field", () => {
  test.each<[string, string, RegExp]>([
    [
      "no answer",
      `{"image": "x.png", "question": "q"}`,
      /bad.jsonl, line 1: answer: is missing\. Mend or remove the record/,
    ],
    ["no question", `{"image": "x.png", "answer": 1}`, /bad.jsonl, line 1: question: is missing/],
    ["no JSON", `{"image": "x.png", "question": "q", "answer": 1}\n{`, /bad.jsonl, line 2: not JSON/],
    [
      "an id twice",
      lines([1, 2].map(() => ({ id: "same", image: "x", question: "q", answer: 1 }))),
      /line 2, record "same": line 1 has the same id "same"/,
    ],
    ["nothing", "\n", /contains no records/],
  ])("%s", async (_what, content, message) => {
    await writeFile(inFolder("bad.jsonl"), content);
    await expect(openDataRecords(inFolder("bad.jsonl"), null, new RecordFaults("stop"))).rejects.toThrow(message);
  });

  test.each<[string, object, RegExp]>([
    ["an image that is not there", { image: "x.png" }, /line 1: image: .*x.png does not exist/],
    [
      "an image that is none",
      { image: `data:image/png;base64,${Buffer.from("text").toString("base64")}` },
      /line 1: cannot decode its image/,
    ],
    [
      "a data URL of another form",
      { image: "data:image/png,plain" },
      /invalid data URL "data:image.png,plain…"; expected data:image/,
    ],
    ["no image", {}, /line 1: no image/],
  ])("%s", async (_what, image, message) => {
    await writeFile(inFolder("bad.jsonl"), lines([{ ...image, question: "q", answer: 1 }]));
    await expect((await openSource(await options("bad.jsonl"))).problemOf("0")).rejects.toThrow(message);
  });

  test("a file that is no parquet", async () => {
    await writeFile(inFolder("bad.parquet"), "no parquet");
    await expect(openDataRecords(inFolder("bad.parquet"), null, new RecordFaults("stop"))).rejects.toThrow(
      /bad.parquet: cannot be read as parquet/,
    );
  });
});
