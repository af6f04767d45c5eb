/** One response of the group: segments, reward, advantage; opens to the full text and every term. */
import { useState } from "react";
import { graderOf } from "../../srpo/reward";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { TransitionChip } from "../parts/TransitionChip";
import { errorOf, type ShownRow, scoreOf } from "../state/rescoring";
import { tokensBySegment } from "../state/tokens";
import { AdvantageBar } from "./AdvantageBar";
import { ProbabilityChange } from "./ProbabilityChange";
import { RewardBar, type RewardScale } from "./RewardBar";
import { SampleDetail } from "./SampleDetail";
import { SegmentCell } from "./SegmentCell";

export interface RowProps {
  readonly sample: SampleRecord;
  readonly shown: ShownRow;
  readonly row: number;
  readonly totals: readonly (number | null)[];
  readonly settings: Settings;
  readonly scale: RewardScale;
  readonly reach: number;
}

export function SampleRow({ sample, shown, row, totals, settings, scale, reach }: RowProps) {
  const [open, setOpen] = useState(false);
  const score = scoreOf(sample);
  const error = shown.error;
  const { grpo } = settings;
  const broken = score !== null && !score.wellFormed;
  // Only a closed answer block is graded: an unclosed one gets no mark, and the chip says so.
  const readable = score !== null && (score.firstSolution?.answer ?? "") !== "";
  const segments = tokensBySegment(sample);
  const unread = score !== null && !readable && segments.first.answer.length > 0;
  const unreadRefined = score !== null && score.refinedSolution === null && segments.refined.answer.length > 0;
  const grader = graderOf(settings.reward.variant);
  // The mark is the training's verdict; under a variant with the other grader its reason may not fit.
  const reasonOf = (which: "first" | "refined", right: boolean): string | undefined =>
    score?.facts.right[grader][which] === right ? score.gradeReasons?.[grader][which] : undefined;
  return (
    <>
      <tr className={`sample${open ? " is-open" : ""}${score?.transition ? ` is-${score.transition}` : ""}`}>
        <th scope="row" className="cell-number">
          <button
            type="button"
            className="row-toggle"
            aria-expanded={open}
            aria-label={`Response ${row + 1}: ${open ? "hide" : "show"} the full text`}
            onClick={() => setOpen(!open)}
          >
            {row + 1}
          </button>
        </th>
        <td className="cell-segment">
          <SegmentCell
            sample={sample}
            segment="first"
            row={row}
            right={readable ? score.firstRight : null}
            unread={unread}
            reason={readable ? reasonOf("first", score.firstRight) : undefined}
            grpo={grpo}
            open={open}
          />
        </td>
        <td className="cell-segment">
          <SegmentCell sample={sample} segment="reflection" row={row} right={null} grpo={grpo} open={open} />
        </td>
        <td className="cell-segment">
          <SegmentCell
            sample={sample}
            segment="refined"
            row={row}
            right={score?.refinedSolution ? score.refinedRight : null}
            unread={unreadRefined}
            reason={score?.refinedSolution ? reasonOf("refined", score.refinedRight) : undefined}
            grpo={grpo}
            open={open}
          />
        </td>
        {error !== null ? (
          <td className="cell-error" colSpan={4}>
            <strong>Not scored.</strong> {error.replace(/\.?$/, ".")}{" "}
            {errorOf(sample) === null ? "Training would leave it out." : "It is not used in this step."}
          </td>
        ) : (
          <>
            <td className="cell-chip">
              {score && (
                <TransitionChip
                  transition={score.transition}
                  otherwise={readable ? "one answer" : unread ? "unreadable" : "no answer"}
                />
              )}
              {broken && (
                <span className="flaw" title={score.formatReasons.join(" ")}>
                  format
                </span>
              )}
              {!sample.finished && (
                <span className="flaw" title="The response reached the length limit.">
                  cut off
                </span>
              )}
            </td>
            <td className="cell-reward">
              <RewardBar shown={shown} reward={settings.reward} scale={scale} row={row} />
            </td>
            <td className="cell-advantage">
              <AdvantageBar
                advantage={shown.advantage}
                ghost={shown.ghostAdvantage}
                totals={totals}
                row={row}
                preset={settings.grpo.preset}
                reach={reach}
              />
            </td>
            <td className="cell-probability">
              <ProbabilityChange sample={sample} row={row} />
            </td>
          </>
        )}
      </tr>
      {open && <SampleDetail sample={sample} shown={shown} row={row} settings={settings} />}
    </>
  );
}
