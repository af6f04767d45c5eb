/** What reflecting did to the answer: the chip of the rewarded transition, after those of earlier rounds, if any. */
import type { SampleScore } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { TransitionChip } from "../parts/TransitionChip";
import { Why } from "../parts/Why";
import { TRANSITION_WORDS } from "../state/words";

interface TransitionsProps {
  readonly score: SampleScore;
  readonly otherwise: "one answer" | "unreadable" | "no answer";
}

export function Transitions({ score: { transition, rounds = [] }, otherwise }: TransitionsProps) {
  return (
    <>
      {rounds.length > 1 && (
        <ol className="earlier-rounds" aria-label="Earlier rounds, not rewarded">
          {rounds.slice(0, -1).map((round, i) => {
            const { label, first, refined, what } = TRANSITION_WORDS[round.transition];
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a round is known by its place.
              <li key={i} className={`chip-${round.transition}`}>
                <Why
                  label={`Round ${i + 1}: ${label}`}
                  explain={() => ({
                    title: `Round ${i + 1}: ${label}`,
                    sentence: `The answer is ${what}. Only the last round is rewarded.`,
                  })}
                >
                  <Icon name={first ? "check" : "cross"} size={9} />
                  <Icon name="arrow" size={8} />
                  <Icon name={refined ? "check" : "cross"} size={9} />
                </Why>
              </li>
            );
          })}
        </ol>
      )}
      <TransitionChip transition={transition} otherwise={otherwise} />
    </>
  );
}
