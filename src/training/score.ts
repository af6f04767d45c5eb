/**
 * Phase 2, score: text → reward terms, transition and reasons, by src/srpo. A scorer that throws, or gives a total that
 * is not finite or absurdly large, makes an error of that row, never a reward of 0: a 0 would teach the policy that the
 * response was bad, when nothing is known about it.
 */
import type { TrueAnswer } from "../srpo/grader/grader";
import { RewardTermError } from "../srpo/language/customTerms";
import { overlongPenalty } from "../srpo/overlong";
import type { ReflectionForm } from "../srpo/reflectionForm";
import { type CountTokens, type ScoredResponse, scoreResponse } from "../srpo/score";
import type { RewardConfig } from "../srpo/types";
import type { GroupRecord, SampleRecord, SampleScore, ScoreFailure } from "./records";

/** Scores one response; the default is the method's own. Replaced in tests and where rewards come from elsewhere. */
export type Scorer = (
  text: string,
  answer: string | TrueAnswer,
  config: RewardConfig,
  countTokens: CountTokens,
  form: ReflectionForm,
) => ScoredResponse;

/** How the responses of a run are scored. */
export interface ScoreSettings {
  readonly reward: RewardConfig;
  readonly reflectionForm: ReflectionForm;
}

/** Larger totals are faults, and their sums and squares would not stay finite: a step's metrics must be numbers. */
const MAX_TOTAL = 1e12;

export function scoreSample(
  text: string,
  answer: string | TrueAnswer,
  { reward, reflectionForm }: ScoreSettings,
  countTokens: CountTokens,
  scorer: Scorer = scoreResponse,
): SampleScore | ScoreFailure {
  try {
    const { parsed: _parsed, ...score } = scorer(text, answer, reward, countTokens, reflectionForm);
    const { total } = score.terms;
    if (!(Math.abs(total) <= MAX_TOTAL))
      return { error: `the scorer gave a total of ${total}; expected a number between −${MAX_TOTAL} and ${MAX_TOTAL}` };
    return score;
  } catch (error) {
    if (error instanceof RewardTermError) return { error: error.message, facts: error.facts };
    return { error: `the scorer failed: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/**
 * The score of a sampled response: its facts say how long it was and could have been, and where the reward has an
 * overlong penalty (src/srpo/overlong.ts) the total has it too, whoever scored it.
 */
function sampledScore(score: SampleScore, tokens: number, limit: number, reward: RewardConfig): SampleScore {
  const facts = { ...score.facts, sampled: { tokens, limit } };
  if (reward.overlongWeight === 0) return { ...score, facts };
  const overlong = reward.overlongWeight * overlongPenalty(facts, reward);
  return { ...score, facts, terms: { ...score.terms, overlong, total: score.terms.total + overlong } };
}

/**
 * The groups with every sample scored. The error of a sample names its problem and its place in the group, from 1.
 * @param unusable why a response cannot be trained on, whatever its text says; null: it can
 */
export function scoreGroups(
  groups: readonly GroupRecord[],
  settings: ScoreSettings & { readonly maxNewTokens: number },
  countTokens: CountTokens,
  scorer?: Scorer,
  unusable: (tokens: readonly number[]) => string | null = () => null,
): GroupRecord[] {
  const scored =
    ({ problem }: GroupRecord, what: string) =>
    (sample: SampleRecord, row: number): SampleRecord => {
      const reason = unusable(sample.tokenIds);
      const score =
        reason === null ? scoreSample(sample.text, problem, settings, countTokens, scorer) : { error: reason };
      if (!("error" in score))
        return {
          ...sample,
          score: sampledScore(score, sample.tokenIds.length, settings.maxNewTokens, settings.reward),
        };
      return { ...sample, score: { ...score, error: `${problem.id}, ${what} ${row + 1}: ${score.error}` } };
    };
  return groups.map((group) => ({
    ...group,
    samples: group.samples.map(scored(group, "response")),
    ...(group.rethought === undefined ? {} : { rethought: group.rethought.map(scored(group, "rethought response")) }),
  }));
}
