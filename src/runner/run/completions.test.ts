/** The table of a step's samples, read back as another program reads it. */
import { parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { configure } from "../../training/configure";
import type { GroupRecord } from "../../training/records";
import { Session } from "../../training/session";
import { defaultSettings } from "../../training/settings";
import { teachFormat, tinyPolicy } from "../../training/testing/tinyPolicy";
import { decodePicture, encodePng } from "../data/pictures";
import { COMPLETION_COLUMNS, completionsTable } from "./completions";

let backend: Backend;
let groups: readonly GroupRecord[];
beforeAll(async () => {
  backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  await teachFormat(policy, 60);
  const settings = configure(defaultSettings, {
    maxNewTokens: 40,
    grpo: { prompts: 2, groupSize: 4 },
    reward: { customTerms: [{ name: "brief", expression: "length / 10", weight: -0.5 }] },
  });
  // The second sample of each group fails to score.
  let calls = 0;
  const { scoreResponse } = await import("../../srpo/score");
  const session = new Session(policy, settings, {
    scorer: (...args) => {
      if (calls++ % 4 === 1) throw new Error("no verdict");
      return scoreResponse(...args);
    },
  });
  await session.stepThrough((result) => {
    if (result.kind === "stepped") groups = result.groups;
  });
  session.dispose();
});
afterAll(() => backend.dispose());

async function readBack(): Promise<Record<string, unknown>[]> {
  const bytes = await completionsTable("grpo", 7, groups);
  return parquetReadObjects({ file: new Uint8Array(bytes).buffer, utf8: false });
}

test("one row a sample, every column, every number as it was", async () => {
  const rows = await readBack();
  expect(rows).toHaveLength(8);
  expect(Object.keys(rows[0] ?? {})).toEqual([...COMPLETION_COLUMNS, "rewards/brief"]);
  rows.forEach((row, i) => {
    const group = groups[Math.floor(i / 4)];
    const sample = group?.samples[i % 4];
    expect(row).toMatchObject({
      stage: "grpo",
      step: 7,
      group: Math.floor(i / 4),
      sample: i % 4,
      problem: group?.problem.id,
      prompt: group?.problem.question,
      answer: group?.problem.answer,
      completion: sample?.text,
      tokens: sample?.tokenIds.length,
      finished: sample?.finished,
      advantage: sample?.advantage,
      group_mean: group?.normalised?.mean,
    });
    if (sample?.score === undefined || "error" in sample.score) {
      expect(row).toMatchObject({
        total: null,
        transition: null,
        well_formed: null,
        "rewards/brief": null,
        error: `${group?.problem.id}, response ${(i % 4) + 1}: the scorer failed: no verdict`,
      });
    } else {
      expect(row).toMatchObject({
        error: null,
        total: sample.score.terms.total,
        length_weighted: sample.score.terms.lengthWeighted,
        "rewards/brief": -0.5 * (sample.score.facts.lengthTokens / 10),
        accuracy: sample.score.terms.accuracy,
        first_right: sample.score.firstRight,
        first_answer: sample.score.firstSolution?.answer ?? null,
        reflection: sample.score.reflection,
      });
    }
  });
  expect(rows.filter((row) => row.error !== null)).toHaveLength(2);
});

test("replayed and continued responses, and what a group began with, can be told from samples", async () => {
  const [first, second] = groups;
  const [sample] = first?.samples ?? [];
  if (first === undefined || second === undefined || sample === undefined) throw new Error("expected two groups");
  const bytes = await completionsTable("grpo", 7, [
    {
      ...first,
      rethought: [sample, sample].map((each, i) => ({ ...each, forcedFrom: 1, continuedFrom: 2, kept: i > 0 })),
    },
    { ...second, prefix: { tokens: ["<answer>", "8", "</answer>"], segments: [null, null, null] } },
    { ...first, replayedFrom: 3, samples: [{ ...sample, klPenalty: 0.25 }] },
  ]);
  const rows = await parquetReadObjects({ file: new Uint8Array(bytes).buffer, utf8: false });
  const column = (name: string): unknown[] => rows.map((row): unknown => row[name]);
  const none = (count: number): null[] => new Array<null>(count).fill(null);
  expect(column("rethought")).toEqual([...none(4), "not kept", "kept", ...none(5)]);
  expect(column("replayed_from")).toEqual([...none(10), 3]);
  expect(column("prefix_tokens")).toEqual([0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 0]);
  expect(column("kl_penalty")).toEqual([...none(10), 0.25]);
});

test("the image column holds the picture the policy saw", async () => {
  const [row] = await readBack();
  const image = row?.image;
  if (!(image instanceof Uint8Array)) throw new Error("expected bytes");
  expect(await decodePicture(image)).toEqual(groups[0]?.problem.picture);
});

test("of several pictures, those after the first are a list of their own", async () => {
  const other = { width: 2, height: 1, pixels: Uint8Array.from([1, 2, 3, 4, 5, 6]) };
  const [first, second] = groups;
  if (first === undefined || second === undefined) throw new Error("expected two groups");
  const bytes = await completionsTable("grpo", 7, [
    { ...first, problem: { ...first.problem, morePictures: [other, other] } },
    second,
  ]);
  const rows = await parquetReadObjects({ file: new Uint8Array(bytes).buffer, utf8: false, columns: ["more_images"] });
  const more = rows.map((row): unknown => row.more_images);
  expect(more[0]).toEqual([await encodePng(other), await encodePng(other)]);
  expect(more[4]).toEqual([]);
});

describe("pictures", () => {
  test("PNG keeps every pixel", async () => {
    const picture = { width: 5, height: 3, pixels: Uint8Array.from({ length: 45 }, (_, i) => (i * 37) % 256) };
    expect(await decodePicture(await encodePng(picture))).toEqual(picture);
  });

  test("bytes that are no image are refused", async () => {
    await expect(decodePicture(new TextEncoder().encode("not an image"))).rejects.toThrow();
  });
});
