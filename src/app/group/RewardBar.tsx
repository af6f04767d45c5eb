/** The total reward as stacked terms from a zero line; negative terms are to its left. */
import { explainCustomTerm, explainTerm, explainTotal } from "../../srpo/explain";
import type { Explanation as MethodExplanation } from "../../srpo/explanation";
import type { RewardConfig } from "../../srpo/types";
import { type Explanation, hideWhy, showWhy, Why } from "../parts/Why";
import type { ShownRow } from "../state/rescoring";
import { number, signed, termsOf } from "../state/words";

/** Ends of the axis of one table, in reward. */
export interface RewardScale {
  readonly min: number;
  readonly max: number;
}

/** The range that the weights allow and the rows need, so bars keep their scale from group to group. */
export function rewardScale(reward: RewardConfig, rows: readonly ShownRow[]): RewardScale {
  const { spoilt, stillWrong } = reward.effectiveness;
  // Adaptive tiers move within their bound.
  const most = reward.adaptiveTiers?.bound ?? 1;
  const kept = most * reward.effectiveness.kept;
  const fixed = most * reward.effectiveness.fixed;
  const weight = reward.effectivenessWeight;
  const best =
    reward.formatWeight +
    Math.max(reward.accuracyWeight + weight * kept, weight * fixed) +
    reward.reflectionFormatWeight +
    reward.lengthWeight;
  const stacked = (row: ShownRow, sign: 1 | -1): number =>
    Object.values(row.parts ?? {}).reduce((sum, part) => sum + sign * Math.max(0, sign * part), 0);
  const seen = rows.flatMap((row) => [row.terms?.total ?? 0, row.ghostTotal ?? 0, stacked(row, 1), stacked(row, -1)]);
  return { min: Math.min(0, weight * spoilt, weight * stillWrong, ...seen), max: Math.max(0.5, best, ...seen) };
}

const titled = (title: string, { formula, substituted, sentence }: MethodExplanation): Explanation => ({
  title,
  formula,
  numbers: substituted,
  sentence,
});

interface RewardBarProps {
  readonly shown: ShownRow;
  readonly reward: RewardConfig;
  readonly scale: RewardScale;
  readonly row: number;
}

export function RewardBar({ shown: { facts, terms, parts, ghostTotal }, reward, scale, row }: RewardBarProps) {
  if (!facts || !terms || !parts) return <div className="reward is-empty" aria-hidden="true" />;
  const span = scale.max - scale.min;
  const share = (value: number): string => `${(value / span) * 100}%`;
  const at = (value: number): string => share(value - scale.min);
  let up = 0;
  let down = 0;
  const segments = termsOf(reward).flatMap((term) => {
    const value = parts[term.key] ?? 0;
    if (Math.abs(value) < 1e-9) return [];
    const start = value > 0 ? up : down + value;
    if (value > 0) up += value;
    else down += value;
    return [{ term, value, start }];
  });
  const spoken = segments.map(({ term: { label }, value }) => `${label} ${signed(value)}`).join(", ");
  return (
    <div className="reward">
      <div
        className="reward-bar"
        aria-hidden="true"
        onPointerLeave={(event) => {
          if (event.pointerType === "mouse") hideWhy();
        }}
      >
        <i className="reward-zero" style={{ left: at(0) }} />
        {segments.map(({ term, value, start }) => {
          const show = (element: Element): void =>
            showWhy(
              titled(
                `${term.label} · ${term.symbol}`,
                term.custom ? explainCustomTerm(term.custom, facts, reward) : explainTerm(term.key, facts, reward),
              ),
              element,
            );
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: the total beside it says the same to everybody.
            // biome-ignore lint/a11y/useKeyWithClickEvents: the opened row has every term for the keyboard.
            <i
              key={term.key}
              className={`reward-part ${term.colour}${value < 0 ? " is-negative" : ""}`}
              style={{ left: at(start), width: share(Math.abs(value)) }}
              onPointerEnter={(event) => show(event.currentTarget)}
              onClick={(event) => show(event.currentTarget)}
            />
          );
        })}
        {ghostTotal !== null && <i className="reward-ghost" style={{ left: at(ghostTotal) }} />}
      </div>
      <Why
        className="reward-total"
        label={`Response ${row + 1}: total reward ${number(terms.total)}; ${spoken}`}
        explain={() => titled(`Total reward of response ${row + 1}`, explainTotal(terms, reward))}
      >
        {number(terms.total)}
        {ghostTotal !== null && <s className="ghost-number">{number(ghostTotal)}</s>}
      </Why>
    </div>
  );
}
