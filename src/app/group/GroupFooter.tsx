/** The group's mean, standard deviation and formula, and its story in sentences. */
import { groupStory, type StoryNote, type StoryRow } from "../../srpo/groupStory";
import type { GroupRecord, Settings } from "../../worker/protocol";
import { Why } from "../parts/Why";
import { type ShownScores, scoreOf } from "../state/rescoring";
import { probabilityChange } from "../state/tokens";
import { number, TERMS } from "../state/words";

/** The group as its story reads it: scores under the controls, probabilities as the update left them. */
function storyOf(group: GroupRecord, scores: ShownScores): readonly StoryNote[] {
  const rows = group.samples.map((sample, at): StoryRow => {
    const score = scoreOf(sample);
    const { parts = null, advantage = null } = scores.rows[at] ?? {};
    const change = probabilityChange(sample);
    return {
      firstRight: score?.firstRight ?? false,
      refinedRight: score?.refinedRight ?? false,
      transition: score?.transition ?? null,
      reward: scores.totals[at] ?? null,
      parts: parts && Object.fromEntries(Object.entries(parts).map(([term, value]) => [symbolOf(term), value])),
      advantage,
      moved: change && change.after - change.before,
    };
  });
  return groupStory({ rows, normalised: scores.normalised, counterfactual: scores.moved });
}

const symbolOf = (term: string): string => TERMS.find(({ key }) => key === term)?.symbol ?? term;

interface GroupFooterProps {
  readonly group: GroupRecord;
  readonly scores: ShownScores;
  readonly settings: Settings;
  /** Prepared or sampled, not used for training. */
  readonly onlyShown: boolean;
}

export function GroupFooter({ group, scores, settings, onlyShown }: GroupFooterProps) {
  const { normalised, moved } = scores;
  const story = storyOf(group, scores);
  const formula = normalised === null ? "" : scores.explainAdvantage(0).formula;
  return (
    <footer className="group-footer">
      {normalised && (
        <p className="group-formula">
          <Why
            label={`Group mean ${number(normalised.mean)}, standard deviation ${number(normalised.std)}`}
            explain={() => ({
              title: "Rewards compared within the group",
              formula,
              numbers:
                `mean ${number(normalised.mean, 3)} · std ${number(normalised.std, 3)} · preset ` +
                `${settings.grpo.preset}`,
              sentence:
                "Each response is compared only with the others to the same question: above the mean it becomes more " +
                "likely, below the mean less likely.",
            })}
          >
            group mean <b>{number(normalised.mean)}</b> · std <b>{number(normalised.std)}</b>
          </Why>
          <span className="formula">{formula.replace(/, {2}.*$/, "")}</span>
        </p>
      )}
      {story.length > 0 && (
        <ul className="group-story">
          {story.map(({ topic, text, why }) => (
            <li key={topic} className={`story-${topic.replace(" ", "-")}`}>
              <Why explain={() => ({ title: text, sentence: why })}>{text}</Why>
            </li>
          ))}
        </ul>
      )}
      {moved && (
        <p className="group-moved" role="status">
          Numbers with the new reward weights; the old ones are struck through.{" "}
          {onlyShown ? "Training will use the new weights." : "Training will use them from the next step."}
        </p>
      )}
    </footer>
  );
}
