/**
 * Pairs of an answer and a truth, under src/srpo/golden: labelled pairs (grader_pairs.jsonl), and two sets written to
 * break the grader (grader_adversarial.jsonl, grader_near_misses.jsonl), most of them wrong answers close to the right
 * one.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { gradeAnswer } from "./grader";

const pairSchema = z.object({ answer: z.string(), gold: z.string(), right: z.boolean(), kind: z.string() });

describe.each(["grader_pairs", "grader_adversarial", "grader_near_misses"])("%s", (name) => {
  const pairs = readFileSync(`src/srpo/golden/${name}.jsonl`, "utf8")
    .trim()
    .split("\n")
    .map((line) => pairSchema.parse(JSON.parse(line)));
  it.each(pairs.map((pair) => [pair.kind, pair.answer, pair.gold, pair.right] as const))(
    "%s: %j for %j is right: %s",
    (_kind, answer, gold, wanted) => expect(gradeAnswer(answer, gold, "equivalent")).toMatchObject({ right: wanted }),
  );
});
