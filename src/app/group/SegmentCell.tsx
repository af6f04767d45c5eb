/** One segment of one response: the answer first, because it is what one looks for, then the thought in small. */
import type { FocusEvent } from "react";
import type { Segment } from "../../srpo/types";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { hideWhy, showWhy } from "../parts/Why";
import { separator, strayTokens, tokensBySegment } from "../state/tokens";
import { SEGMENTS } from "../state/words";
import { Tokens } from "./Tokens";

/** Letters of an answer beyond which a cell may be too narrow for it: then the whole is shown on focus too. */
const LONG_ANSWER = 10;

/** Tokens of a thought drawn in a closed row, which has three lines: a long response would be thousands of elements. */
const CLOSED_TOKENS = 60;

/** Tokens of a tooltip. */
const TITLE_TOKENS = 200;

interface SegmentCellProps {
  readonly sample: SampleRecord;
  readonly segment: Segment;
  readonly row: number;
  /** Null where this segment gives no answer or nothing has been scored yet. */
  readonly right: boolean | null;
  /** The answer's block never ends: its words are shown, but nobody could grade them. */
  readonly unread?: boolean;
  readonly grpo: Settings["grpo"];
  /** The row is open: everything is shown. */
  readonly open: boolean;
}

export function SegmentCell({ sample, segment, row, right, unread = false, grpo, open }: SegmentCellProps) {
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
  /** Reachable by key, unlike the dozens of short answers. */
  const readWhole = {
    tabIndex: 0,
    role: "note",
    "aria-label": `${title}: ${whole}`,
    onBlur: hideWhy,
    onFocus: (event: FocusEvent<HTMLElement>) => {
      if (event.target === event.currentTarget) showWhy({ title, sentence: whole }, event.currentTarget);
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
          label={`Response ${row + 1}, outside of every block`}
        />
      )}
      {nothing && stray.length === 0 && (
        <span className="segment-nothing">{segment === "reflection" ? "no reflection" : "nothing said"}</span>
      )}
      {answer.length > 0 && (
        <span
          className={`answer ${unread ? "is-unreadable" : right === null ? "" : right ? "is-right" : "is-wrong"}`}
          title={whole}
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
