/** What the grader says of each answer of a response, for the cells of its row. */
import type { GraderName } from "../../srpo/grader/grader";
import type { Segment } from "../../srpo/types";
import type { SampleScore } from "../../worker/protocol";
import type { SegmentTokens } from "../state/tokens";
import type { Verdict } from "./SegmentWords";

/**
 * The verdicts on the first answer and on those of the rounds. Only a closed answer block is graded: an unclosed one
 * gets no mark, and says so.
 */
export function verdictsOf(
  score: SampleScore | null,
  segments: Readonly<Record<Segment, readonly SegmentTokens[]>>,
  grader: GraderName,
): { readonly first: Verdict; readonly refined: readonly Verdict[] } {
  if (score === null) return { first: { right: null }, refined: [] };
  const graded = score.facts.right[grader];
  const reasons = score.gradeReasons?.[grader];
  // The mark is the training's verdict; under a variant with the other grader its reason may not fit.
  const reasonOf = (which: "first" | "refined", right: boolean): string | undefined =>
    graded[which] === right ? reasons?.[which] : undefined;
  const readable = (score.firstSolution?.answer ?? "") !== "";
  const first: Verdict = readable
    ? { right: score.firstRight, reason: reasonOf("first", score.firstRight) }
    : { right: null, unread: (segments.first[0]?.answer.length ?? 0) > 0 };
  const between = (graded.between ?? []).map((right, i): Verdict => ({ right, reason: reasons?.between?.[i] }));
  const last: Verdict[] = score.refinedSolution
    ? [{ right: score.refinedRight, reason: reasonOf("refined", score.refinedRight) }]
    : [];
  const answered = [...between, ...last];
  // Rounds beyond these have no closed answer.
  const refined = segments.refined.map(
    (round, i): Verdict => answered[i] ?? { right: null, unread: round.answer.length > 0 },
  );
  return { first, refined };
}
