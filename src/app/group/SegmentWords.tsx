/** The words of one segment in one round: the answer first, then the reasoning in small type. */
import type { FocusEvent } from "react";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { hideWhy, showWhy } from "../parts/Why";
import { type SegmentTokens, separator } from "../state/tokens";
import { Tokens } from "./Tokens";

/** Characters above which an answer may not fit its cell: the full text is then also shown on focus. */
const LONG_ANSWER = 10;

/** Tokens drawn in a closed row of three lines: a long response would be thousands of elements. */
const CLOSED_TOKENS = 60;

/** What the grader says of the answer of one segment. */
export interface Verdict {
  /** Null if the segment has no answer or is not scored yet. */
  readonly right: boolean | null;
  /** The answer block is not closed, so it was not graded. */
  readonly unread?: boolean;
  /** Why the grader finds the answer right or wrong. */
  readonly reason?: string | undefined;
}

interface SegmentWordsProps {
  readonly sample: SampleRecord;
  readonly words: SegmentTokens;
  /** E.g. "Response 3, reflection". */
  readonly label: string;
  readonly verdict: Verdict;
  readonly grpo: Settings["grpo"];
  /** The row is open: show everything. */
  readonly open: boolean;
}

export function SegmentWords({ sample, words: { text, answer }, label, verdict, grpo, open }: SegmentWordsProps) {
  const { right, unread = false, reason } = verdict;
  const thought = open ? text : text.slice(0, CLOSED_TOKENS);
  const whole = answer.map((index) => sample.tokens[index] ?? "").join(separator(sample));
  const title = `${label}, answer`;
  /** Long answers can be focused; there are too many short ones. */
  const readWhole = {
    tabIndex: 0,
    role: "note",
    "aria-label": `${title}: ${whole}`,
    onBlur: hideWhy,
    onFocus: (event: FocusEvent<HTMLElement>) => {
      if (event.target === event.currentTarget)
        showWhy(
          reason === undefined ? { title, sentence: whole } : { title, formula: whole, sentence: reason },
          event.currentTarget,
        );
    },
  } as const;
  return (
    <>
      {answer.length > 0 && (
        <span
          className={`answer ${unread ? "is-unreadable" : right === null ? "" : right ? "is-right" : "is-wrong"}`}
          title={reason === undefined ? whole : `${whole}\n${reason}`}
          {...(whole.length > LONG_ANSWER ? readWhole : {})}
        >
          {right !== null && <Icon name={right ? "check" : "cross"} size={11} />}
          <Tokens
            sample={sample}
            at={answer}
            grpo={grpo}
            label={`${title}${unread ? ", unreadable" : right === null ? "" : right ? ", right" : ", wrong"}`}
          />
        </span>
      )}
      {thought.length > 0 && <Tokens sample={sample} at={thought} grpo={grpo} className="thought" label={label} />}
    </>
  );
}
