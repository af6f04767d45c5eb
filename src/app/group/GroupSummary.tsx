/** Summary of the step: how often the first and the refined answer are right, and the transitions. */
import { TRANSITIONS } from "../../srpo/types";
import type { GroupRecord, SampleScore } from "../../worker/protocol";
import { Why } from "../parts/Why";
import type { StepGroups } from "../state/groups";
import { scoreOf } from "../state/rescoring";
import { percent, TRANSITION_WORDS } from "../state/words";

const scoresOf = (groups: readonly GroupRecord[]): readonly SampleScore[] =>
  groups.flatMap(({ samples }) => samples.flatMap((sample) => scoreOf(sample) ?? []));

interface ShareProps {
  readonly of: readonly SampleScore[];
  readonly test: (score: SampleScore) => boolean;
  /** What the counted ones are, after their number. */
  readonly what: string;
}

/** A percentage that says of how many it is one. */
function Share({ of, test, what }: ShareProps) {
  if (of.length === 0) return <b>–</b>;
  const count = of.filter(test).length;
  const sentence = `${count} of ${of.length} ${what}.`;
  return (
    <Why
      label={`${percent(count / of.length)}: ${sentence}`}
      explain={() => ({ title: sentence, sentence: WHAT_SHARES_ARE })}
    >
      <b>{percent(count / of.length)}</b>
    </Why>
  );
}

const WHAT_SHARES_ARE =
  "Counted over responses sampled at this step's temperature, for training problems. Held-out ones are apart.";

export function GroupSummary({ step, group }: { readonly step: StepGroups; readonly group: GroupRecord }) {
  // Replayed responses are an earlier step's.
  const own = step.groups.filter(({ replayedFrom }) => replayedFrom === undefined);
  const all = own.length > 1 && step.origin === "training" ? own : [group];
  const scores = scoresOf(all);
  // Of several groups, as the curve has it: a first solution of an earlier step is not this step's.
  const first = all.length > 1 ? scoresOf(all.filter(({ prefix }) => prefix === undefined)) : scores;
  const share = (test: (score: SampleScore) => boolean): number =>
    scores.filter(test).length / Math.max(1, scores.length);
  const scored = scores.length > 0;
  const without = share((score) => score.transition === null);
  return (
    <section className={`summary${scored ? "" : " is-empty"}`} aria-label="Summary of this step">
      <h2>{all.length > 1 ? `All ${all.length} problems of this step` : "This group"}</h2>
      <div className="summary-figures">
        <p className="figure segment-first">
          <Share of={first} test={(score) => score.firstRight} what="first answers are right" />
          first right
        </p>
        <p className="figure segment-refined">
          <Share of={scores} test={(score) => score.refinedRight} what="refined answers are right" />
          refined right
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
          <li key={each}>
            <i className={`swatch fill-${each}`} aria-hidden="true" />
            {TRANSITION_WORDS[each].label}
            <Share
              of={scores}
              test={(score) => score.transition === each}
              what={`responses are ${TRANSITION_WORDS[each].what}`}
            />
          </li>
        ))}
        {without > 0 && (
          <li>
            <i className="swatch fill-none" aria-hidden="true" />
            no second answer
            <Share
              of={scores}
              test={(score) => score.transition === null}
              what="responses have no second answer to compare with the first"
            />
          </li>
        )}
      </ul>
    </section>
  );
}
