/** All curves of the current stage on one axis of steps, with one cursor. */
import { useMemo } from "react";
import { useHistory, useRun, useView } from "../state/hooks";
import { CurveCard } from "./CurveCard";
import { curvesOf } from "./definitions";

export function Curves() {
  const stage = useRun((state) => state.stage);
  const rows = useHistory((state) => state.rows);
  const evaluations = useHistory((state) => state.evaluations);
  const cursor = useView((state) => state.cursor);
  // Before GRPO nothing but SFT is measured; the base stage shows the GRPO curves of the run, if there are any.
  const drawn = stage === "sft" ? "sft" : "grpo";
  const mine = useMemo(() => rows.filter((row) => row.stage === drawn), [rows, drawn]);
  const held = useMemo(() => evaluations.filter((evaluation) => evaluation.stage === drawn), [evaluations, drawn]);
  const first = mine[0]?.step ?? 0;
  const last = mine.at(-1)?.step ?? 1;
  const span = useMemo((): [number, number] => [Math.min(first, last - 1), last], [first, last]);
  return (
    <section className="curves" aria-label="Curves">
      <div className="curves-head">
        <h2>How it learns</h2>
        <span className="tabular">{mine.length === 0 ? "" : `step ${cursor ?? last}`}</span>
      </div>
      <div className="curve-grid">
        {curvesOf(drawn).map((curve) => <CurveCard key={curve.title} curve={curve} rows={mine} span={span} evaluations={held} />)}
      </div>
    </section>
  );
}
