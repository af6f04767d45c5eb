/** A curve with its title, its values at the shared cursor (else the newest), and a text that says the same. */
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from "react";
import type { EvaluationRecord, StepMetrics } from "../../worker/protocol";
import { Boundary } from "../parts/Boundary";
import { Why } from "../parts/Why";
import { useView } from "../state/hooks";
import { view } from "../state/view";
import { type Curve, measuredRows } from "./definitions";

const load = () => import("./Plot").then((module) => ({ default: module.Plot }));
const Plot = lazy(load);

/**
 * Fetch the drawing code when the browser has nothing better to do: the first step then draws at once, also offline.
 */
export function preloadPlot(): void {
  const fetchIt = (): void => {
    load().catch((reason: unknown) => console.warn("The curves' code could not be fetched ahead:", reason));
  };
  if ("requestIdleCallback" in window) requestIdleCallback(fetchIt, { timeout: 10_000 });
  else setTimeout(fetchIt, 3000);
}

/** As in Plot, which is loaded later. */
const LEFT = 34,
  RIGHT = 8;

interface CurveCardProps {
  readonly curve: Curve;
  readonly rows: readonly StepMetrics[];
  readonly span: readonly [number, number];
  readonly evaluations: readonly EvaluationRecord[];
}

/** The row at a step, or the nearest one; rows are ordered by step. */
function rowAt(rows: readonly StepMetrics[], step: number): StepMetrics | undefined {
  let low = 0,
    high = rows.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.step ?? 0) < step) low = middle + 1;
    else high = middle;
  }
  const after = rows[low],
    before = rows[low - 1];
  return after && before && step - before.step < after.step - step ? before : after;
}

function useSeen(): [React.RefObject<HTMLElement | null>, boolean] {
  const element = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) setSeen(true);
      },
      { rootMargin: "200px" },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, seen];
}

export function CurveCard({ curve, rows, span, evaluations }: CurveCardProps) {
  const cursor = useView((state) => state.cursor);
  const [element, seen] = useSeen();
  const measured = useMemo(() => measuredRows(curve, rows), [rows, curve]);
  const at = cursor === null ? measured.at(-1) : rowAt(measured, cursor);
  const value = (row: StepMetrics | undefined, key: (typeof curve.series)[number]["key"]): string => {
    const found = row?.[key];
    return found === undefined ? "–" : curve.show(found);
  };
  const first = measured[0];
  const last = measured.at(-1);
  const change = ({ key, label }: (typeof curve.series)[number]): string =>
    `${label || curve.title}: from ${value(first, key)} to ${value(last, key)}`;
  const text =
    first && last
      ? `${curve.title}, steps ${first.step} to ${last.step}. ${curve.series.map(change).join("; ")}.`
      : `${curve.title}: ${rows.length > 0 && curve.unmeasured ? curve.unmeasured : "nothing measured yet"}.`;
  const width = span[1] - span[0];
  const move = (event: React.PointerEvent<HTMLElement>): void => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / Math.max(1, box.width - LEFT - RIGHT);
    view.setState({ cursor: Math.round(span[0] + Math.min(1, Math.max(0, share)) * width) });
  };
  const share = cursor === null || width === 0 ? null : Math.min(1, Math.max(0, (cursor - span[0]) / width));
  return (
    <figure className={`curve is-${curve.size}`} ref={element}>
      <figcaption>
        <Why
          label={`What ${curve.title} is`}
          explain={() => ({
            title: curve.title,
            ...(curve.unit === "" ? {} : { formula: curve.unit }),
            numbers: curve.series.map(({ key, label }) => `${label} ${value(at, key)}`.trim()).join(" · "),
            sentence: curve.what,
          })}
        >
          <b>
            {curve.title}
            <span>{curve.unit}</span>
          </b>
        </Why>
        <ul className="tabular" aria-hidden="true">
          {curve.series.map(({ key, label, hue, dash }) => (
            <li key={key}>
              {label && (
                <>
                  <i className={dash ? "key is-dashed" : "key"} style={{ color: hue }} />
                  {label}
                </>
              )}{" "}
              <span>{value(at, key)}</span>
            </li>
          ))}
        </ul>
      </figcaption>
      <div
        className="plot"
        role="img"
        aria-label={text}
        onPointerMove={move}
        onPointerLeave={() => view.setState({ cursor: null })}
      >
        {measured.length === 0 ? (
          <p className="plot-empty">
            {rows.length > 0 && curve.unmeasured ? <b>{curve.unmeasured}</b> : "from the first step on"}
          </p>
        ) : (
          seen && (
            <Boundary otherwise={() => <p className="plot-empty">The drawing could not be loaded.</p>}>
              <Suspense fallback={null}>
                <Plot curve={curve} rows={measured} span={span} evaluations={evaluations} />
              </Suspense>
            </Boundary>
          )
        )}
        {share !== null && measured.length > 0 && (
          <i className="plot-cursor" style={{ left: `calc(${LEFT}px + ${share} * (100% - ${LEFT + RIGHT}px))` }} />
        )}
      </div>
    </figure>
  );
}
