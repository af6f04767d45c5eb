/** The group's mean, standard deviation and formula; and a sentence if there is nothing to learn from it. */
import type { GroupRecord, Settings } from "../../worker/protocol";
import { Why } from "../parts/Why";
import { type ShownScores, scoreOf } from "../state/rescoring";
import { changeDirection } from "../state/tokens";
import { MOVED_BY_OTHERS, number } from "../state/words";

function verdict(group: GroupRecord, scores: ShownScores): string | null {
  const scored = group.samples.flatMap((sample) => scoreOf(sample) ?? []);
  if (scored.length === 0) return null;
  const nothingRight = scored.every((score) => !score.firstRight && !score.refinedRight);
  if (scores.normalised?.flat) {
    const moved = group.samples.some((sample) => changeDirection(sample) !== "same") ? ` ${MOVED_BY_OTHERS}` : "";
    const what = nothingRight ? "No answer is right and all rewards are equal" : "All rewards are equal";
    return `${what}: every advantage is 0, so this group teaches nothing.${moved}`;
  }
  if (nothingRight)
    return "No answer in this group is right. It can only teach what still differs, such as format and length.";
  return null;
}

interface GroupFooterProps {
  readonly group: GroupRecord;
  readonly scores: ShownScores;
  readonly settings: Settings;
  /** Prepared or sampled, not used for training. */
  readonly onlyShown: boolean;
}

export function GroupFooter({ group, scores, settings, onlyShown }: GroupFooterProps) {
  const { normalised, moved } = scores;
  const sentence = verdict(group, scores);
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
      {sentence && <p className="group-verdict">{sentence}</p>}
      {moved && (
        <p className="group-moved" role="status">
          Numbers with the new reward weights; the old ones are struck through.{" "}
          {onlyShown ? "Training will use the new weights." : "Training will use them from the next step."}
        </p>
      )}
    </footer>
  );
}
