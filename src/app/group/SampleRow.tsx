/** One response of the group: segments, reward, advantage; opens to the full text and every term. */
import { useState } from "react";
import { graderOf } from "../../srpo/reward";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { Why } from "../parts/Why";
import { errorOf, type ShownRow, type ShownScores, scoreOf } from "../state/rescoring";
import { tokensBySegment } from "../state/tokens";
import { AdvantageBar } from "./AdvantageBar";
import { ProbabilityChange } from "./ProbabilityChange";
import { RewardBar, type RewardScale } from "./RewardBar";
import { SampleDetail } from "./SampleDetail";
import { SegmentCell } from "./SegmentCell";
import { Transitions } from "./Transitions";
import { verdictsOf } from "./verdicts";

export interface RowProps {
  readonly sample: SampleRecord;
  /** The first solution of an earlier step that the group begins after (src/app/state/given.ts). */
  readonly given: SampleRecord | null;
  readonly shown: ShownRow;
  readonly row: number;
  readonly explainAdvantage: ShownScores["explainAdvantage"];
  readonly settings: Settings;
  readonly scale: RewardScale;
  readonly reach: number;
}

export function SampleRow({ sample, given, shown, row, explainAdvantage, settings, scale, reach }: RowProps) {
  const [open, setOpen] = useState(false);
  const score = scoreOf(sample);
  const error = shown.error;
  const { grpo } = settings;
  const broken = score !== null && !score.wellFormed;
  const { first, refined } = verdictsOf(
    score,
    { ...tokensBySegment(sample), ...firstOf(given) },
    graderOf(settings.reward.variant),
  );
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
          <SegmentCell sample={given ?? sample} segment="first" row={row} verdicts={[first]} grpo={grpo} open={open} />
        </td>
        <td className="cell-segment">
          <SegmentCell sample={sample} segment="reflection" row={row} grpo={grpo} open={open} />
        </td>
        <td className="cell-segment">
          <SegmentCell sample={sample} segment="refined" row={row} verdicts={refined} grpo={grpo} open={open} />
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
                <Transitions
                  score={score}
                  otherwise={first.right !== null ? "one answer" : first.unread ? "unreadable" : "no answer"}
                />
              )}
              {broken && (
                <Why
                  className="flaw"
                  explain={() => ({ title: "Not well formed", sentence: score.formatReasons.join(" ") })}
                >
                  format
                </Why>
              )}
              {!sample.finished && (
                <Why
                  className="flaw"
                  explain={() => ({ title: "Cut off", sentence: "The response reached the length limit." })}
                >
                  cut off
                </Why>
              )}
            </td>
            <td className="cell-reward">
              <RewardBar shown={shown} reward={settings.reward} scale={scale} row={row} />
            </td>
            <td className="cell-advantage">
              <AdvantageBar
                advantage={shown.advantage}
                ghost={shown.ghostAdvantage}
                row={row}
                explain={explainAdvantage}
                reach={reach}
              />
            </td>
            <td className="cell-probability">
              <ProbabilityChange sample={sample} row={row} />
            </td>
          </>
        )}
      </tr>
      {open && <SampleDetail sample={sample} given={given} shown={shown} row={row} settings={settings} />}
    </>
  );
}

const firstOf = (given: SampleRecord | null) => (given === null ? {} : { first: tokensBySegment(given).first });
