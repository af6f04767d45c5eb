/** The group: all responses to one problem, their segments, rewards and advantages. */
import { useMemo } from "react";
import type { GroupRecord, Settings } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { givenResponse, groupNotes } from "../state/given";
import { rescore, rewardIn } from "../state/rescoring";
import { SEGMENTS } from "../state/words";
import { Continuations } from "./Continuations";
import { GroupFooter } from "./GroupFooter";
import { rewardScale } from "./RewardBar";
import { SampleRow } from "./SampleRow";

interface GroupTableProps {
  readonly group: GroupRecord;
  /** All groups of its step: some estimators look at them. */
  readonly stepGroups: readonly GroupRecord[];
  /** As on the controls: the table is re-scored with them immediately. */
  readonly settings: Settings;
  readonly onlyShown: boolean;
}

export function GroupTable({ group, stepGroups, settings: wanted, onlyShown }: GroupTableProps) {
  const { grpo } = wanted;
  const reward = useMemo(() => rewardIn(group, wanted.reward), [group, wanted.reward]);
  const settings = useMemo(() => ({ ...wanted, reward }), [wanted, reward]);
  const scores = useMemo(() => rescore(group, { reward, grpo }, stepGroups), [group, reward, grpo, stepGroups]);
  const given = useMemo(() => (group.prefix === undefined ? null : givenResponse(group.prefix)), [group.prefix]);
  const scale = rewardScale(reward, scores.rows);
  const reach = Math.max(
    1.6,
    ...scores.rows.flatMap((row) => [Math.abs(row.advantage ?? 0), Math.abs(row.ghostAdvantage ?? 0)]),
  );
  return (
    <div className="group">
      {groupNotes(group).map(({ label, what }) => (
        <p key={label} className="group-note">
          <Icon name="back" size={13} />
          <b>{label}.</b> {what}
        </p>
      ))}
      <table className="group-table">
        <caption className="visually-hidden">
          {group.samples.length} responses to “{group.problem.question}”, right answer {group.problem.answer}
        </caption>
        <thead>
          <tr>
            <th scope="col" className="cell-number">
              <span className="visually-hidden">Response</span>
            </th>
            {SEGMENTS.map(({ segment, label }) => (
              <th key={segment} scope="col" className={`head-${segment}`}>
                <Icon name={segment} size={14} />
                {label.replace(REST, "")}
                <span className="head-rest">{REST.exec(label)?.[0]}</span>
              </th>
            ))}
            <th scope="col">Answer</th>
            <th scope="col">Reward</th>
            <th scope="col" className="head-advantage">
              Advantage
            </th>
            <th scope="col" className="head-probability" title="Change of the response's log-probability by the update">
              Δ log p
            </th>
          </tr>
        </thead>
        <tbody>
          {group.samples.map((sample, row) => (
            <SampleRow
              // biome-ignore lint/suspicious/noArrayIndexKey: a response is known by its place in the group.
              key={row}
              sample={sample}
              given={given}
              shown={scores.rows[row] ?? EMPTY}
              row={row}
              explainAdvantage={scores.explainAdvantage}
              settings={settings}
              scale={scale}
              reach={reach}
            />
          ))}
        </tbody>
        <Continuations group={group} settings={settings} />
      </table>
      <GroupFooter group={group} scores={scores} settings={settings} onlyShown={onlyShown} />
    </div>
  );
}

/** What of a head leaves the screen where columns are narrow. */
const REST = / solution$/;

const EMPTY = {
  facts: null,
  terms: null,
  parts: null,
  error: null,
  advantage: null,
  ghostTotal: null,
  ghostAdvantage: null,
} as const;
