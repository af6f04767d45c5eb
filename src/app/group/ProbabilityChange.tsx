/** What the update did to this very response: its log-probability before and after. The point of the method, seen. */
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
      label={`Response ${row + 1}: log-probability from ${number(before)} to ${number(after)}`}
      explain={() => ({
        title: `Response ${row + 1} by this step`,
        formula: "log p(response) = Σ log p(token)",
        numbers: `${number(before, 3)} → ${number(after, 3)}, that is × ${number(Math.exp(by), 3)} in probability`,
        sentence:
          direction === "same"
            ? "The update hardly changed how probable this response is."
            : `The update made the policy ${direction === "up" ? "more" : "less"} likely to say exactly this ` +
              `again.${movedByOthers(sample)}`,
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
