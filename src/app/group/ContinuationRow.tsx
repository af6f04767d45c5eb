/** One response that was made to think again: its first solution, the trigger, what followed, and its use. */
import { useState } from "react";
import { graderOf } from "../../srpo/reward";
import type { GroupRecord, SampleRecord, Settings } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { Why } from "../parts/Why";
import { continuationFate, continuedRow } from "../state/given";
import { scoreOf } from "../state/rescoring";
import { tokensBySegment } from "../state/tokens";
import { SampleDetail } from "./SampleDetail";
import { SegmentCell } from "./SegmentCell";
import { Transitions } from "./Transitions";
import { verdictsOf } from "./verdicts";

interface ContinuationRowProps {
  readonly group: GroupRecord;
  readonly sample: SampleRecord;
  /** Its place among the continuations. */
  readonly at: number;
  readonly settings: Settings;
}

export function ContinuationRow({ group, sample, at, settings }: ContinuationRowProps) {
  const [open, setOpen] = useState(false);
  const { grpo } = settings;
  const from = continuedRow(group, sample);
  const score = scoreOf(sample);
  const { first, refined } = verdictsOf(score, tokensBySegment(sample), graderOf(settings.reward.variant));
  const fate = continuationFate(sample);
  const row = from ?? at;
  const name = from === null ? `Continuation ${at + 1}` : `Continuation of response ${from + 1}`;
  return (
    <>
      <tr className={`sample is-continued${open ? " is-open" : ""}`}>
        <th scope="row" className="cell-number">
          <button
            type="button"
            className="row-toggle"
            aria-expanded={open}
            aria-label={`${name}: ${open ? "hide" : "show"} the full text`}
            title={name}
            onClick={() => setOpen(!open)}
          >
            <Icon name="again" size={11} />
            {from === null ? "" : from + 1}
          </button>
        </th>
        <td className="cell-segment">
          <SegmentCell sample={sample} segment="first" row={row} verdicts={[first]} grpo={grpo} open={open} />
        </td>
        <td className="cell-segment">
          <SegmentCell sample={sample} segment="reflection" row={row} grpo={grpo} open={open} />
        </td>
        <td className="cell-segment">
          <SegmentCell sample={sample} segment="refined" row={row} verdicts={refined} grpo={grpo} open={open} />
        </td>
        <td className="cell-chip">
          {score && (
            <Transitions
              score={score}
              otherwise={first.right !== null ? "one answer" : first.unread ? "unreadable" : "no answer"}
            />
          )}
          {!sample.finished && (
            <span className="flaw" title="The continuation reached its length limit.">
              cut off
            </span>
          )}
        </td>
        <td className="cell-fate" colSpan={3}>
          {fate && (
            <Why
              className={sample.kept ? "fate is-imitated" : "fate"}
              explain={() => ({ title: `${name}: ${fate.label}`, sentence: fate.why })}
            >
              {fate.label}
            </Why>
          )}
        </td>
      </tr>
      {open && <SampleDetail sample={sample} shown={{ facts: null }} row={row} settings={settings} />}
    </>
  );
}
