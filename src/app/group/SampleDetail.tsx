/**
 * The opened row: the full response with its tags, its format errors, why each answer is right or wrong, and the
 * reason for every term.
 */
import { explainCustomTerm, explainTerm } from "../../srpo/explain";
import type { ResponseFacts } from "../../srpo/facts";
import type { GraderName } from "../../srpo/grader/grader";
import { RewardTermError } from "../../srpo/language/customTerms";
import { graderOf } from "../../srpo/reward";
import type { SampleRecord, SampleScore, Settings } from "../../worker/protocol";
import { type ShownRow, scoreOf } from "../state/rescoring";
import { wholeOf } from "../state/tokens";
import { number, type ShownTerm, termsOf } from "../state/words";
import { Tokens } from "./Tokens";

/** Each graded answer of a response, in order, with the grader's reason. */
function answersOf(
  score: SampleScore,
  grader: GraderName,
): readonly { readonly label: string; readonly right: boolean; readonly reason: string }[] {
  const reasons = score.gradeReasons?.[grader];
  if (reasons === undefined) return [];
  const { first, between = [], refined } = score.facts.right[grader];
  return [
    { label: "First answer", right: first, reason: reasons.first },
    ...between.map((right, i) => ({
      label: `Answer after round ${i + 1}`,
      right,
      reason: reasons.between?.[i] ?? "",
    })),
    ...(score.refinedSolution === null ? [] : [{ label: "Refined answer", right: refined, reason: reasons.refined }]),
  ];
}

/** Why a term is what it is, or why it has no value. */
function sentenceOf(term: ShownTerm, facts: ResponseFacts, reward: Settings["reward"]): string {
  if (!term.custom) return explainTerm(term.key, facts, reward).sentence;
  try {
    const { substituted, sentence } = explainCustomTerm(term.custom, facts, reward);
    return `${sentence} ${substituted}`;
  } catch (error) {
    if (error instanceof RewardTermError) return `No value: ${error.reason}.`;
    throw error;
  }
}

interface SampleDetailProps {
  readonly sample: SampleRecord;
  /** The first solution of an earlier step that the response continues. */
  readonly given?: SampleRecord | null;
  readonly shown: Pick<ShownRow, "facts">;
  readonly row: number;
  readonly settings: Settings;
}

export function SampleDetail({ sample, given = null, shown: { facts }, row, settings }: SampleDetailProps) {
  const score = scoreOf(sample);
  const whole = wholeOf(sample);
  const grader = graderOf(settings.reward.variant);
  const answers = score ? answersOf(score, grader) : [];
  return (
    <tr className="detail">
      <td colSpan={8}>
        <p className="detail-text">
          {given && (
            <>
              <Tokens
                sample={given}
                at={given.tokens.map((_, at) => at)}
                grpo={settings.grpo}
                label={`Response ${row + 1}, first solution of an earlier step`}
              />{" "}
            </>
          )}
          <Tokens
            sample={sample}
            at={sample.tokens.map((_, at) => at)}
            grpo={settings.grpo}
            label={`Response ${row + 1}, full text`}
            reachable
          />
        </p>
        {score && score.formatReasons.length > 0 && (
          <ul className="detail-flaws">
            {score.formatReasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        )}
        {answers.length > 0 && (
          <dl className="detail-terms detail-answers">
            {answers.map(({ label, right, reason }) => (
              <div key={label}>
                <dt>
                  {label}: {right ? "right" : "wrong"}
                </dt>
                <dd>{reason}</dd>
              </div>
            ))}
          </dl>
        )}
        {facts && (
          <dl className="detail-terms">
            {termsOf(settings.reward).map((term) => (
              <div key={term.key}>
                <dt>
                  <i className={`swatch ${term.colour}`} aria-hidden="true" />
                  {term.label}
                </dt>
                <dd>{sentenceOf(term, facts, settings.reward)}</dd>
              </div>
            ))}
          </dl>
        )}
        <p className="detail-numbers">
          {whole.tokens} tokens
          {whole.tokens > sample.tokens.length && ` (first ${sample.tokens.length} shown)`} · log p{" "}
          {number(whole.logprob)} · mean entropy {number(whole.entropy / Math.max(1, whole.tokens), 3)} nats
          {facts && <> · first solution {facts.baseTokens} tokens</>}
        </p>
      </td>
    </tr>
  );
}
