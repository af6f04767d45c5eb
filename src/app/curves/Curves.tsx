/** All curves of the current stage on one axis of steps, with one cursor. */
import { useEffect, useMemo } from "react";
import { useHistory, usePlayground, useRun, useView } from "../state/hooks";
import { canSteer } from "../state/run";
import { percent } from "../state/words";
import { CurveCard, preloadPlot } from "./CurveCard";
import { curvesOf } from "./definitions";

/** Held-out problems of one evaluation. */
const EVALUATION_PROBLEMS = 64;

export function Curves() {
  const playground = usePlayground();
  const idle = useRun((state) => canSteer(state) && !state.playing);
  const opened = useRun((state) => state.opened !== null);
  useEffect(() => {
    if (opened) preloadPlot();
  }, [opened]);
  const evaluating = useRun((state) => state.progress?.what === "evaluate");
  const stage = useRun((state) => state.stage);
  const rows = useHistory((state) => state.rows);
  const evaluations = useHistory((state) => state.evaluations);
  const cursor = useView((state) => state.cursor);
  // Before GRPO nothing but SFT is measured; the base stage shows the GRPO curves of the run, if there are any.
  const drawn = stage === "sft" ? "sft" : "grpo";
  const mine = useMemo(() => rows.filter((row) => row.stage === drawn), [rows, drawn]);
  const held = useMemo(() => evaluations.filter((evaluation) => evaluation.stage === drawn), [evaluations, drawn]);
  const reward = useRun((state) => state.wanted.reward);
  const curves = useMemo(() => curvesOf(drawn, reward, mine), [drawn, reward, mine]);
  const first = mine[0]?.step ?? 0;
  const last = mine.at(-1)?.step ?? 1;
  // One or two steps stand apart from the frame, so that their dots are whole.
  const margin = mine.length <= 2 ? 0.5 : 0;
  const span = useMemo((): [number, number] => [first - margin, Math.max(last, first) + margin], [first, last, margin]);
  return (
    <section className="curves" aria-label="Curves">
      <div className="curves-head">
        <h2>How it learns</h2>
        <span className="tabular">{mine.length === 0 ? "" : `step ${cursor ?? last}`}</span>
      </div>
      <p className="curves-held tabular">
        {held.length > 0 && (
          <>
            held-out problems: first {percent(held.at(-1)?.accuracyFirst ?? 0)}, refined{" "}
            {percent(held.at(-1)?.accuracyRefined ?? 0)}{" "}
          </>
        )}
        <button
          type="button"
          className="text-button"
          disabled={!idle || evaluating}
          onClick={() => playground.evaluate(EVALUATION_PROBLEMS)}
        >
          {evaluating ? "evaluating …" : held.length > 0 ? "again" : "evaluate on held-out problems"}
        </button>
      </p>
      <div className="curve-grid">
        {curves.map((curve) => (
          <CurveCard key={curve.title} curve={curve} rows={mine} span={span} evaluations={held} />
        ))}
      </div>
    </section>
  );
}
