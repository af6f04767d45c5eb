/** The response's log-probability before and after the update. */
import type { SampleRecord } from "../../worker/protocol";
import { Why } from "../parts/Why";
import { changeDirection, movedByOthers, probabilityChange } from "../state/tokens";
import { number, signed } from "../state/words";

export function ProbabilityChange({ sample, row }: { readonly sample: SampleRecord; readonly row: number }) {
  const change = probabilityChange(sample);
  if (change === null) return <div className="probability is-empty" aria-hidden="true" />;
  const { before, after } = change;
  const by = after - before;
  const direction = changeDirection(sample);
  const places = Math.abs(before) < 1000 ? 1 : 0;
  return (
    <Why
      className={`probability is-${direction}`}
      label={`Response ${row + 1}: log-probability ${number(before)} before, ${number(after)} after the update`}
      explain={() => ({
        title: `Effect of this step on response ${row + 1}`,
        formula: "log p(response) = Σ log p(token)",
        numbers: `${number(before, 3)} → ${number(after, 3)}: probability × ${number(Math.exp(by), 3)}`,
        sentence:
          direction === "same"
            ? "The update hardly changed the probability of this response."
            : `The update made this exact response ${direction === "up" ? "more" : "less"} ` +
              `likely.${movedByOthers(sample)}`,
      })}
    >
      <span className="probability-by">
        <i aria-hidden="true">{direction === "up" ? "▲" : direction === "down" ? "▼" : "·"}</i>
        {signed(by)}
      </span>
      <span className="probability-from">
        {number(before, places)} → {number(after, places)}
      </span>
    </Why>
  );
}
