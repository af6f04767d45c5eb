/** One segment of a response: the answer first, then the reasoning in small type. */
import type { FocusEvent } from "react";
import type { Segment } from "../../srpo/types";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { hideWhy, showWhy } from "../parts/Why";
import { separator, strayTokens, tokensBySegment } from "../state/tokens";
import { SEGMENTS } from "../state/words";
import { Tokens } from "./Tokens";

/** Characters above which an answer may not fit its cell: the full text is then also shown on focus. */
const LONG_ANSWER = 10;

/** Tokens drawn in a closed row of three lines: a long response would be thousands of elements. */
const CLOSED_TOKENS = 60;

/** Tokens of a tooltip. */
const TITLE_TOKENS = 200;

interface SegmentCellProps {
  readonly sample: SampleRecord;
  readonly segment: Segment;
  readonly row: number;
  /** Null if the segment has no answer or is not scored yet. */
  readonly right: boolean | null;
  /** The answer block is not closed, so it was not graded. */
  readonly unread?: boolean;
  /** Why the grader finds the answer right or wrong. */
  readonly reason?: string | undefined;
  readonly grpo: Settings["grpo"];
  /** The row is open: show everything. */
  readonly open: boolean;
}

export function SegmentCell({ sample, segment, row, right, unread = false, reason, grpo, open }: SegmentCellProps) {
  const { text, answer } = tokensBySegment(sample)[segment];
  const { label: name, short } = SEGMENTS.find((each) => each.segment === segment) ?? {
    label: segment,
    short: segment,
  };
  const thought = open ? text : text.slice(0, CLOSED_TOKENS);
  const nothing = text.length === 0 && answer.length === 0;
  const words = (at: readonly number[]): string =>
    at.map((index) => sample.tokens[index] ?? "").join(separator(sample));
  const whole = words(answer);
  const title = `Response ${row + 1}, ${name.toLowerCase()}, answer`;
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
  const stray = segment === "first" && nothing ? strayTokens(sample) : [];
  return (
    <div
      className={`segment segment-${segment}`}
      data-label={short}
      title={text.length > 12 ? words(text.slice(0, TITLE_TOKENS)) : undefined}
    >
      {stray.length > 0 && (
        <Tokens
          sample={sample}
          at={open ? stray : stray.slice(0, CLOSED_TOKENS)}
          grpo={grpo}
          className="stray"
          label={`Response ${row + 1}, text outside any block`}
        />
      )}
      {nothing && stray.length === 0 && (
        <span className="segment-nothing">{segment === "reflection" ? "no reflection" : "empty"}</span>
      )}
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
      {thought.length > 0 && (
        <Tokens
          sample={sample}
          at={thought}
          grpo={grpo}
          className="thought"
          label={`Response ${row + 1}, ${name.toLowerCase()}`}
        />
      )}
    </div>
  );
}
