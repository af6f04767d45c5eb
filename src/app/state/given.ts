/**
 * Where a group's responses do not begin and end as the policy sampled them in this step: a first solution of an
 * earlier step, a trigger after a first solution, responses replayed from an earlier step. Such given tokens were not
 * sampled here, and have no probability.
 */
import type { GroupPrefix, GroupRecord, SampleRecord } from "../../worker/protocol";
import type { Explanation } from "../parts/Why";
import { errorOf, scoreOf } from "./rescoring";

/** Is this token a trigger's or a prefix's? */
export function isGiven({ forcedFrom, continuedFrom }: SampleRecord, at: number): boolean {
  return forcedFrom !== undefined && continuedFrom !== undefined && at >= forcedFrom && at < continuedFrom;
}

/** The prefix of a group as a response of given tokens, to be shown as the first solution of each of its rows. */
export function givenResponse({ tokens, segments }: GroupPrefix): SampleRecord {
  const none = tokens.map(() => 0);
  return {
    text: tokens.join(" "),
    tokens,
    tokenIds: none,
    logprobs: none,
    entropies: none,
    segments,
    finished: true,
    forcedFrom: 0,
    continuedFrom: tokens.length,
  };
}

/** Indices of the trigger's tokens; none in a response that was not made to think again. */
export function triggerOf(sample: SampleRecord): readonly number[] {
  if (!sample.forcedFrom) return [];
  return sample.tokens.flatMap((_, at) => (isGiven(sample, at) ? [at] : []));
}

export function explainGiven({ tokens, forcedFrom }: SampleRecord, at: number): Explanation {
  return {
    title: `“${tokens[at]?.trim() ?? ""}” · not sampled in this step`,
    sentence:
      forcedFrom === 0
        ? "Part of a first solution from an earlier step. Only what follows it is trained."
        : "Part of the trigger, which was put after the first solution. The policy continued from there.",
  };
}

/**
 * The row (from 0) whose first solution a continued response keeps: the first with the same tokens. Null where none of
 * the rows on show has them.
 */
export function continuedRow({ samples }: GroupRecord, { tokenIds, forcedFrom = 0 }: SampleRecord): number | null {
  const cut = Math.min(forcedFrom, tokenIds.length);
  const row = samples.findIndex((sample) => tokenIds.slice(0, cut).every((id, at) => sample.tokenIds[at] === id));
  return cut === 0 || row < 0 ? null : row;
}

/** What training makes of a continued response: a word, and why; null before it is scored. */
export function continuationFate(sample: SampleRecord): { readonly label: string; readonly why: string } | null {
  const error = errorOf(sample);
  if (error !== null) return { label: "not scored", why: `${error.replace(/\.?$/, ".")} It is not trained on.` };
  const score = scoreOf(sample);
  if (score === null || sample.kept === undefined) return null;
  if (sample.kept)
    return {
      label: "imitated",
      why:
        "Its last answer is right, so the update makes all its tokens more likely, as SFT does. It has no advantage " +
        "and no part in the mean of the group.",
    };
  return score.refinedRight
    ? { label: "not used", why: "Right as well, but enough right continuations of this group are imitated already." }
    : { label: "not used", why: "Its last answer is wrong: only right continuations are imitated." };
}

/** Why the group is not one that was sampled from the question alone in this step; none for most groups. */
export function groupNotes({ replayedFrom, prefix }: GroupRecord): readonly { label: string; what: string }[] {
  return [
    ...(replayedFrom === undefined
      ? []
      : [
          {
            label: `Replayed from step ${replayedFrom}`,
            what: "Responses of that step, trained on again with the advantages and probabilities they had then.",
          },
        ]),
    ...(prefix === undefined
      ? []
      : [
          {
            label: "Begins after an earlier first solution",
            what: "Every response continues the same first solution of an earlier step; only what follows is trained.",
          },
        ]),
  ];
}
