/**
 * An advantage as a bar from a zero line shared by all rows, and its number; after moving a slider the old bar stays as
 * an outline.
 */
import type { Explanation } from "../../srpo/explanation";
import { Why } from "../parts/Why";
import { number, signed } from "../state/words";

interface AdvantageBarProps {
  readonly advantage: number | null;
  readonly ghost: number | null;
  readonly row: number;
  readonly explain: (row: number) => Explanation;
  /** |A| at the end of the axis. */
  readonly reach: number;
}

export function AdvantageBar({ advantage, ghost, row, explain, reach }: AdvantageBarProps) {
  if (advantage === null)
    return (
      <div className="advantage is-empty" aria-hidden="true">
        <span className="advantage-bar" />
      </div>
    );
  const place = (value: number): React.CSSProperties => {
    const width = (Math.abs(value) / reach) * 50;
    return { left: `${value < 0 ? 50 - width : 50}%`, width: `${width}%` };
  };
  return (
    <Why
      className="advantage"
      label={`Response ${row + 1}: advantage ${number(advantage)}`}
      explain={() => {
        const { formula, substituted, sentence } = explain(row);
        return { title: `Advantage of response ${row + 1}`, formula, numbers: substituted, sentence };
      }}
    >
      <span className="advantage-bar" aria-hidden="true">
        {ghost !== null && <i className="advantage-ghost" style={place(ghost)} />}
        <i className={advantage < 0 ? "advantage-part is-negative" : "advantage-part"} style={place(advantage)} />
      </span>
      <span className="advantage-number">
        {signed(advantage)}
        {ghost !== null && <s className="ghost-number">{signed(ghost)}</s>}
      </span>
    </Why>
  );
}
