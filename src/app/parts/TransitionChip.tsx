/** How the refined answer relates to the first: always the same four chips, distinguished by mark and colour. */
import type { Transition } from "../../srpo/types";
import { TRANSITION_WORDS } from "../state/words";
import { Icon } from "./Icon";
import { Why } from "./Why";

const OTHERWISE = {
  "one answer": "There is no second answer to compare.",
  "no answer": "There is no answer to grade.",
  unreadable: "The answer block never ends, so there is no answer to grade: it counts as wrong.",
} as const;

interface TransitionChipProps {
  readonly transition: Transition | null;
  /** Said where there are not two answers to compare. */
  readonly otherwise?: keyof typeof OTHERWISE;
}

export function TransitionChip({ transition, otherwise = "one answer" }: TransitionChipProps) {
  if (transition === null)
    return (
      <Why className="chip chip-none" explain={() => ({ title: otherwise, sentence: OTHERWISE[otherwise] })}>
        {otherwise}
      </Why>
    );
  const { label, first, refined, what } = TRANSITION_WORDS[transition];
  return (
    <Why className={`chip chip-${transition}`} explain={() => ({ title: label, sentence: `The answer is ${what}.` })}>
      <span className="chip-marks" aria-hidden="true">
        <Icon name={first ? "check" : "cross"} size={11} />
        <Icon name="arrow" size={10} />
        <Icon name={refined ? "check" : "cross"} size={11} />
      </span>
      {label}
    </Why>
  );
}
