/** One segment of a response; a reflection or refined solution of several rounds stands round by round. */
import type { Segment } from "../../srpo/types";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { isGiven, triggerOf } from "../state/given";
import { separator, strayTokens, tokensBySegment } from "../state/tokens";
import { SEGMENTS } from "../state/words";
import { SegmentWords, type Verdict } from "./SegmentWords";
import { Tokens } from "./Tokens";

/** Stray tokens drawn in a closed row. */
const CLOSED_TOKENS = 60;

/** Tokens of a tooltip. */
const TITLE_TOKENS = 200;

interface SegmentCellProps {
  readonly sample: SampleRecord;
  readonly segment: Segment;
  readonly row: number;
  /** On the answers of the segment, one a round; none for a reflection. */
  readonly verdicts?: readonly Verdict[];
  readonly grpo: Settings["grpo"];
  /** The row is open: show everything. */
  readonly open: boolean;
}

const NO_VERDICT: Verdict = { right: null };

export function SegmentCell({ sample, segment, row, verdicts = [], grpo, open }: SegmentCellProps) {
  const trigger = segment === "reflection" ? triggerOf(sample) : [];
  const rounds = tokensBySegment(sample)[segment].map((round) =>
    trigger.length === 0 ? round : { ...round, text: round.text.filter((at) => !isGiven(sample, at)) },
  );
  const { label: name, short } = SEGMENTS.find((each) => each.segment === segment) ?? {
    label: segment,
    short: segment,
  };
  const text = rounds.flatMap((each) => each.text);
  const nothing = rounds.every((each) => each.text.length === 0 && each.answer.length === 0);
  const words = (at: readonly number[]): string =>
    at.map((index) => sample.tokens[index] ?? "").join(separator(sample));
  const label = `Response ${row + 1}, ${name.toLowerCase()}`;
  const only = rounds.length === 1 ? (rounds[0] ?? null) : null;
  const stray = segment === "first" && nothing ? strayTokens(sample) : [];
  return (
    <div
      className={`segment segment-${segment}`}
      data-label={short}
      title={text.length > 12 ? words(text.slice(0, TITLE_TOKENS)) : undefined}
    >
      {trigger.length > 0 && (
        <Tokens
          sample={sample}
          at={trigger}
          grpo={grpo}
          className="trigger"
          label={`Response ${row + 1}, trigger: put there, not sampled`}
        />
      )}
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
      {only !== null ? (
        <SegmentWords
          sample={sample}
          words={only}
          label={label}
          verdict={verdicts[0] ?? NO_VERDICT}
          grpo={grpo}
          open={open}
        />
      ) : (
        rounds.map((each, round) =>
          each.text.length + each.answer.length === 0 ? null : (
            // biome-ignore lint/suspicious/noArrayIndexKey: a round is known by its place.
            <span key={round} className="segment-round">
              <span className="round-number" title={`Round ${round + 1} of ${rounds.length}`}>
                {round + 1}
              </span>
              <SegmentWords
                sample={sample}
                words={each}
                label={`${label}, round ${round + 1}`}
                verdict={verdicts[round] ?? NO_VERDICT}
                grpo={grpo}
                open={open}
              />
            </span>
          ),
        )
      )}
    </div>
  );
}
