/** Groups of recipes that replay, make responses think again, or begin after an earlier failure, for the scenes. */
import { tokenSegments } from "../../srpo/format";
import { PAPER_FORM, writeReflection } from "../../srpo/reflectionForm";
import { defaultSettings, type GroupRecord, type SampleRecord } from "../../worker/protocol";
import { finish, random, score } from "./fixture";

/** First token after the first solution; null where no answer is closed. */
function afterFirst({ tokens }: SampleRecord): number | null {
  const end = tokens.indexOf("</answer>");
  return end < 0 ? null : end + 1;
}

/** The group with its first responses continued after the opening tag of a reflection; the last answer is right. */
export function madeToThinkAgain(record: GroupRecord, count: number, perGroup: number): GroupRecord {
  const { answer } = record.problem;
  let kept = 0;
  const samples = record.samples.map((sample, row) => ({
    ...sample,
    tokenIds: sample.tokenIds.map((id) => 100 * row + id),
  }));
  const rethought = samples.slice(0, count).flatMap((sample, row): SampleRecord[] => {
    const cut = afterFirst(sample);
    if (cut === null) return [];
    const right = row % 3 !== 2;
    const said = right ? answer : String(Number(answer) + 1);
    const after = `${writeReflection("check again ; count once more", PAPER_FORM)} <think> so it is ${said} </think>`;
    const tokens = [...sample.tokens.slice(0, cut), ...after.split(" "), "<answer>", said, "</answer>", "<|im_end|>"];
    const text = tokens.slice(0, -1).join(" ");
    const scored = score(text, answer, defaultSettings.reward);
    const numbers = (own: readonly number[], later: number): number[] =>
      tokens.map((_, at) => (at < cut ? (own[at] ?? 0) : at === cut ? 0 : later));
    return [
      {
        text,
        tokens,
        tokenIds: tokens.map((_, at) => (at < cut ? (sample.tokenIds[at] ?? 0) : 9000 + at)),
        logprobs: numbers(sample.logprobs, -0.35),
        entropies: numbers(sample.entropies, 0.4),
        segments: tokenSegments(text, tokens, PAPER_FORM),
        finished: true,
        score: scored,
        forcedFrom: cut,
        continuedFrom: cut + 1,
        kept: scored.refinedRight && kept++ < perGroup,
      },
    ];
  });
  return { ...record, samples, rethought };
}

/** The group as if all its responses continued the first solution of its first wrong one. */
export function begunAfterFailure(record: GroupRecord): GroupRecord {
  const model = record.samples.find(({ score }) => score !== undefined && !("error" in score) && !score.firstRight);
  const cut = model === undefined ? null : afterFirst(model);
  if (model === undefined || cut === null) return record;
  const prefix = { tokens: model.tokens.slice(0, cut), segments: model.segments.slice(0, cut) };
  const samples = record.samples.map((sample): SampleRecord => {
    const own = afterFirst(sample) ?? 0;
    const text = [...prefix.tokens, ...sample.tokens.slice(own, -1)].join(" ");
    return {
      ...sample,
      text,
      tokens: sample.tokens.slice(own),
      tokenIds: sample.tokenIds.slice(own),
      logprobs: sample.logprobs.slice(own),
      entropies: sample.entropies.slice(own),
      segments: sample.segments.slice(own),
      score: score(text, record.problem.answer, defaultSettings.reward),
    };
  });
  return { ...finish(record.problem, samples, "update", random(2)), prefix };
}

/** Some responses of the group, drawn again from the step that sampled them; both ends of the advantages. */
export function replayed(record: GroupRecord, step: number): GroupRecord {
  const { normalised: _normalised, ...rest } = record;
  const samples = record.samples.filter(({ advantage = 0 }) => Math.abs(advantage) > 0.8).slice(0, 3);
  return { ...rest, samples, replayedFrom: step };
}
