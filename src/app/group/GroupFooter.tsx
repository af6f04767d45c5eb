/** What the group amounts to: mean, spread, the formula; and in words where there is nothing to learn from it. */
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
    return nothingRight
      ? "Nothing is right and every reward is the same: no response is better than another, so this group teaches " +
          "nothing. Its advantages are exactly 0." +
          moved
      : "Every reward is the same: no response is better than another, so this group teaches nothing. Its advantages " +
          "are exactly 0." +
          moved;
  }
  if (nothingRight)
    return "Nothing is right in this group. What still differs, such as format and length, is all that it can teach.";
  return null;
}

interface GroupFooterProps {
  readonly group: GroupRecord;
  readonly scores: ShownScores;
  readonly settings: Settings;
  /** Prepared or sampled: nothing is trained on it. */
  readonly onlyShown: boolean;
}

export function GroupFooter({ group, scores, settings, onlyShown }: GroupFooterProps) {
  const { normalised, moved } = scores;
  const said = verdict(group, scores);
  return (
    <footer className="group-footer">
      {normalised && (
        <p className="group-formula">
          <Why
            label={`Group mean ${number(normalised.mean)}, standard deviation ${number(normalised.std)}`}
            explain={() => ({
              title: "Rewards against each other",
              formula: "A = (r − mean) / (std + ε)",
              numbers:
                `mean ${number(normalised.mean, 3)} · std ${number(normalised.std, 3)} · preset ` +
                `${settings.grpo.preset}`,
              sentence:
                "A response is judged only against the others to the same question: better than the mean is " +
                "encouraged, worse is discouraged.",
            })}
          >
            group mean <b>{number(normalised.mean)}</b> · std <b>{number(normalised.std)}</b>
          </Why>
          <span className="formula">A = (r − mean) / std</span>
        </p>
      )}
      {said && <p className="group-verdict">{said}</p>}
      {moved && (
        <p className="group-moved" role="status">
          The weights were moved: these are the new numbers, the old ones stay as ghosts.{" "}
          {onlyShown ? "Training will use the new weights." : "Training will use this from the next step."}
        </p>
      )}
    </footer>
  );
}
