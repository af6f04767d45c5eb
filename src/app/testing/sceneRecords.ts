/** Groups changed into what is hard to reach: flat, long, malformed, of several rounds. For the scenes of stage.tsx. */
import { parseResponse, tokenRounds, tokenSegments } from "../../srpo/format";
import { PAPER_FORM, writeReflection } from "../../srpo/reflectionForm";
import { countWords, scoreResponse } from "../../srpo/score";
import { defaultSettings, type GroupRecord, type SampleRecord } from "../../worker/protocol";
import { score } from "./fixture";

export function withSamples(
  record: GroupRecord,
  change: (sample: SampleRecord, row: number) => SampleRecord,
): GroupRecord {
  return { ...record, samples: record.samples.map(change) };
}

/** Every row like the first, so that the group is flat. */
export function flat(record: GroupRecord): GroupRecord {
  const model = record.samples[0];
  return model ? withSamples(record, () => model) : record;
}

export function long(record: GroupRecord): GroupRecord {
  return withSamples(record, (sample, row) => {
    if (row !== 2) return sample;
    const at = sample.segments.indexOf("reflection") + 1;
    const words = Array.from(
      { length: 90 },
      (_, index) => ["check", "A", ";", "it", "is", "3", "not", "4", ";"][index % 9] ?? "",
    );
    const insert = <Value>(list: readonly Value[], values: readonly Value[]): Value[] => [
      ...list.slice(0, at),
      ...values,
      ...list.slice(at),
    ];
    return {
      ...sample,
      finished: false,
      tokens: insert(sample.tokens, words),
      segments: insert(
        sample.segments,
        words.map(() => "reflection" as const),
      ),
      tokenIds: insert(
        sample.tokenIds,
        words.map(() => 1),
      ),
      logprobs: insert(
        sample.logprobs,
        words.map(() => -0.7),
      ),
      entropies: insert(
        sample.entropies,
        words.map(() => 0.5),
      ),
    };
  });
}

/** Answers that never end, in the first row and the third; and a long one that does, in the second. */
export function malformed(record: GroupRecord): GroupRecord {
  return withSamples(record, (sample, row) => {
    if (row > 2) return sample;
    const closed = row === 1;
    const words = [
      "<think>",
      "A",
      "=",
      "3",
      "</think>",
      "<answer>",
      ...(row === 0 ? "80 * 30" : "80 * 30 = 2400 ; 12 + 9 = 21 ; 3 + 5 = 8 ; 80 * 30 = 2400").split(" "),
      ...(closed ? ["</answer>"] : []),
    ];
    const text = words.join(" ");
    return {
      ...sample,
      text,
      tokens: words,
      segments: words.map(() => "first" as const),
      tokenIds: words.map(() => 1),
      logprobs: words.map(() => -0.4),
      entropies: words.map(() => 0.5),
      finished: closed,
      score: score(text, record.problem.answer, defaultSettings.reward),
    };
  });
}

/** Two rounds of reflection by a trigger, in every second row with a third answer. */
export const ROUNDS = { ...PAPER_FORM, kind: "trigger", rounds: 2 } as const;

export function rounds(record: GroupRecord): GroupRecord {
  return withSamples(record, (sample, row) => {
    const { firstSolution, refinedSolution } = parseResponse(sample.text);
    if (firstSolution === null || refinedSolution === null) return sample;
    const { answer } = record.problem;
    const solution = (think: string, said: string): string => `<think> ${think} </think> <answer> ${said} </answer>`;
    const first = [solution(firstSolution.think, firstSolution.answer)];
    const second = [
      writeReflection("A is 4 not 3 ; C is 5", ROUNDS),
      solution(refinedSolution.think, refinedSolution.answer),
    ];
    const third = [
      writeReflection("A is 4 ; C is 5 ; steps hold", ROUNDS),
      solution(refinedSolution.think, row % 4 === 0 ? answer : "9"),
    ];
    const text = [...first, ...second, ...(row % 2 === 0 ? third : [])].join(" ");
    const tokens = [...text.split(" "), "<|im_end|>"];
    const { parsed: _parsed, ...scored } = scoreResponse(text, answer, defaultSettings.reward, countWords, ROUNDS);
    return {
      text,
      tokens,
      tokenIds: tokens.map((_, at) => at),
      logprobs: tokens.map((_, at) => (at % 7 === 0 ? -0.9 : -0.05)),
      entropies: tokens.map(() => 0.3),
      segments: tokenSegments(text, tokens, ROUNDS),
      rounds: tokenRounds(text, tokens, ROUNDS),
      finished: true,
      score: scored,
    };
  });
}
