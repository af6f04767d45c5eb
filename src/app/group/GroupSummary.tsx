/** Summary of the step: how often the first and the refined answer are right, and the transitions. */
import { TRANSITIONS } from "../../srpo/types";
import type { GroupRecord, SampleScore } from "../../worker/protocol";
import type { StepGroups } from "../state/groups";
import { scoreOf } from "../state/rescoring";
import { percent, TRANSITION_WORDS } from "../state/words";

const scoresOf = (groups: readonly GroupRecord[]): readonly SampleScore[] =>
  groups.flatMap(({ samples }) => samples.flatMap((sample) => scoreOf(sample) ?? []));

export function GroupSummary({ step, group }: { readonly step: StepGroups; readonly group: GroupRecord }) {
  // Replayed responses are an earlier step's.
  const own = step.groups.filter(({ replayedFrom }) => replayedFrom === undefined);
  const all = own.length > 1 && step.origin === "training" ? own : [group];
  const scores = scoresOf(all);
  // Of several groups, as the curve has it: a first solution of an earlier step is not this step's.
  const first = all.length > 1 ? scoresOf(all.filter(({ prefix }) => prefix === undefined)) : scores;
  const share = (test: (score: SampleScore) => boolean, of = scores): number =>
    of.filter(test).length / Math.max(1, of.length);
  const scored = scores.length > 0;
  const without = share((score) => score.transition === null);
  return (
    <section className={`summary${scored ? "" : " is-empty"}`} aria-label="Summary of this step">
      <h2>{all.length > 1 ? `All ${all.length} problems of this step` : "This group"}</h2>
      <div className="summary-figures">
        <p className="figure segment-first">
          <b>{first.length > 0 ? percent(share((score) => score.firstRight, first)) : "–"}</b>first right
        </p>
        <p className="figure segment-refined">
          <b>{scored ? percent(share((score) => score.refinedRight)) : "–"}</b>refined right
        </p>
      </div>
      <div className="summary-bar" aria-hidden="true">
        {TRANSITIONS.map((each) => ({ each, part: share((score) => score.transition === each) }))
          .filter(({ part }) => part > 0)
          .map(({ each, part }) => (
            <i key={each} className={`fill-${each}`} style={{ flexGrow: part }} />
          ))}
        {without > 0 && <i className="fill-none" style={{ flexGrow: without }} />}
      </div>
      <ul className="summary-transitions">
        {TRANSITIONS.map((each) => (
          <li key={each} title={TRANSITION_WORDS[each].what}>
            <i className={`swatch fill-${each}`} aria-hidden="true" />
            {TRANSITION_WORDS[each].label}
            <b>{scored ? percent(share((score) => score.transition === each)) : "–"}</b>
          </li>
        ))}
        {without > 0 && (
          <li title="no second answer to compare with the first">
            <i className="swatch fill-none" aria-hidden="true" />
            no second answer
            <b>{percent(without)}</b>
          </li>
        )}
      </ul>
    </section>
  );
}
