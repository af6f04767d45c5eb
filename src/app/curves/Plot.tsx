/** The drawing of one curve in Recharts; loaded lazily, redrawn only when its points change. */
import { memo } from "react";
import { Area, AreaChart, Line, LineChart, ReferenceDot, ResponsiveContainer, XAxis, YAxis } from "recharts";
import type { EvaluationRecord, StepMetrics } from "../../worker/protocol";
import { decimateLines, decimateRows, type Point } from "./decimate";
import type { Curve, MetricKey } from "./definitions";

/** Room for the axes, in CSS pixels; the cursor overlay counts on it. */
export const MARGIN = { left: 34, right: 8, top: 6, bottom: 16 } as const;

interface PlotProps {
  readonly curve: Curve;
  readonly rows: readonly StepMetrics[];
  /** First and last step on the axis. */
  readonly span: readonly [number, number];
  readonly height: number;
  readonly evaluations: readonly EvaluationRecord[];
}

const TICK = { fontSize: 10, fill: "var(--ink-3)" } as const;

export const Plot = memo(function Plot({ curve, rows, span, height, evaluations }: PlotProps) {
  const keys = curve.series.map(({ key }) => key);
  const points: readonly Point<MetricKey>[] = curve.kind === "stack" && curve.leading
    ? decimateRows<MetricKey>(rows, curve.leading) : decimateLines<MetricKey>(rows, keys);
  const single = rows.length === 1;
  const x = <XAxis dataKey="step" type="number" domain={[span[0], span[1]]} allowDataOverflow tick={TICK} tickLine={false} axisLine={{ stroke: "var(--line)" }} height={MARGIN.bottom} tickMargin={2} tickCount={5} allowDecimals={false} interval="preserveStartEnd" />;
  const y = <YAxis width={MARGIN.left} tick={TICK} tickLine={false} axisLine={false} tickCount={3} tickMargin={2} tickFormatter={curve.show}
    domain={curve.domain ? [curve.domain[0], curve.domain[1]] : curve.fromZero ? [(low: number) => Math.min(0, low), "auto"] : ["auto", "auto"]} />;
  const frame = { data: [...points], margin: { top: MARGIN.top, right: MARGIN.right, bottom: 0, left: 0 }, accessibilityLayer: false } as const;
  return (
    <ResponsiveContainer width="100%" height={height}>
      {curve.kind === "stack" ? (
        <AreaChart {...frame}>
          {x}{y}
          {curve.series.map(({ key, hue }) => <Area key={key} dataKey={(row: Point<MetricKey>) => row[key]} name={key} stackId="all" stroke={single ? hue : "var(--surface)"} strokeWidth={0.75} fill={hue} fillOpacity={1} isAnimationActive={false} dot={single ? { r: 2.5, fill: hue } : false} activeDot={false} type="linear" />)}
        </AreaChart>
      ) : (
        <LineChart {...frame}>
          {x}{y}
          {curve.series.map(({ key, hue, dash }) => <Line key={key} dataKey={(row: Point<MetricKey>) => row[key]} name={key} stroke={hue} strokeWidth={1.6} strokeDasharray={single ? undefined : dash} isAnimationActive={false} dot={rows.length <= 2 ? { r: 2.5, fill: hue, stroke: "none" } : false} activeDot={false} connectNulls type="linear" />)}
          {keys[0] === "accuracy/first" && evaluations.flatMap(({ step, accuracyFirst, accuracyRefined }, at) => [
            <ReferenceDot key={`f${at}`} x={step} y={accuracyFirst} r={3.5} fill="var(--surface)" stroke="var(--first)" strokeWidth={1.5} />,
            <ReferenceDot key={`r${at}`} x={step} y={accuracyRefined} r={3.5} fill="var(--surface)" stroke="var(--refined)" strokeWidth={1.5} />,
          ])}
        </LineChart>
      )}
    </ResponsiveContainer>
  );
});
