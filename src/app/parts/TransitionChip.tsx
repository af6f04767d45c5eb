/** How the refined answer relates to the first: always the same four chips, told apart by marks as well as colour. */
import type { Transition } from "../../srpo/types";
import { TRANSITION_WORDS } from "../state/words";
import { Icon } from "./Icon";

export function TransitionChip({ transition }: { readonly transition: Transition | null }) {
  if (transition === null) return <span className="chip chip-none" title="There is no second answer to compare.">no second answer</span>;
  const { label, first, refined, what } = TRANSITION_WORDS[transition];
  return (
    <span className={`chip chip-${transition}`} title={what}>
      <span className="chip-marks" aria-hidden="true">
        <Icon name={first ? "check" : "cross"} size={11} /><Icon name="arrow" size={10} /><Icon name={refined ? "check" : "cross"} size={11} />
      </span>
      {label}
    </span>
  );
}
