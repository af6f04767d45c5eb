/** The drawing of one curve in Recharts; loaded lazily, redrawn only when its points change. */
import { memo } from "react";
import { Area, AreaChart, Line, LineChart, ReferenceDot, ResponsiveContainer, XAxis, YAxis } from "recharts";
import type { EvaluationRecord, StepMetrics } from "../../worker/protocol";
import { percent } from "../state/words";
import { decimateLines, decimateRows, type Point } from "./decimate";
import type { Curve, MetricKey } from "./definitions";

/** Room for the axes, in CSS pixels; the cursor overlay counts on it. */
const MARGIN = { left: 34, right: 8, top: 6, bottom: 16 } as const;

interface PlotProps {
  readonly curve: Curve;
  readonly rows: readonly StepMetrics[];
  /** First and last step on the axis. */
  readonly span: readonly [number, number];
  readonly evaluations: readonly EvaluationRecord[];
}

/** Round steps inside the span, some four of them; its ends where fewer than two are round. */
function roundSteps([first, last]: readonly [number, number]): number[] {
  const rough = Math.max(1, (last - first) / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10) * power;
  const from = Math.ceil(first / step);
  const round = Array.from({ length: Math.floor(last / step) - from + 1 }, (_, at) => (from + at) * step);
  return round.length >= 2 || last - first <= 1 ? round : [Math.ceil(first), Math.floor(last)];
}

/** As short as an axis wants it: two digits that matter. */
function tick(curve: Curve, value: number): string {
  if (curve.show === percent) return `${Math.round(value * 100)}%`;
  return value !== 0 && Math.abs(value) < 0.001
    ? value.toExponential(0).replace("-", "−")
    : String(Number(value.toPrecision(2))).replace("-", "−");
}

const TICK = { fontSize: 10, fill: "var(--ink-3)" } as const;

export const Plot = memo(function Plot({ curve, rows, span, evaluations }: PlotProps) {
  const keys = curve.series.map(({ key }) => key);
  const points: readonly Point<MetricKey>[] =
    curve.kind === "stack" && curve.leading
      ? decimateRows<MetricKey>(rows, curve.leading)
      : decimateLines<MetricKey>(rows, keys);
  const small = curve.size === "small";
  const single = rows.length === 1;
  const x = (
    <XAxis
      dataKey="step"
      type="number"
      domain={[span[0], span[1]]}
      allowDataOverflow
      tick={small ? false : TICK}
      ticks={roundSteps(span)}
      tickLine={false}
      axisLine={{ stroke: "var(--line)" }}
      height={small ? 2 : MARGIN.bottom}
      tickMargin={2}
      interval="preserveStartEnd"
    />
  );
  const y = (
    <YAxis
      width={MARGIN.left}
      tick={TICK}
      tickLine={false}
      axisLine={false}
      tickCount={3}
      tickMargin={2}
      tickFormatter={(value: number) => tick(curve, value)}
      domain={
        curve.domain
          ? [curve.domain[0], curve.domain[1]]
          : curve.fromZero
            ? [(low: number) => Math.min(0, low), "auto"]
            : ["auto", "auto"]
      }
    />
  );
  const frame = {
    data: [...points],
    margin: { top: MARGIN.top, right: MARGIN.right, bottom: 0, left: 0 },
    accessibilityLayer: false,
  } as const;
  return (
    <ResponsiveContainer width="100%" height="100%">
      {curve.kind === "stack" ? (
        <AreaChart {...frame}>
          {x}
          {y}
          {curve.series.map(({ key, hue }) => (
            <Area
              key={key}
              dataKey={(row: Point<MetricKey>) => row[key]}
              name={key}
              stackId="all"
              stroke={single ? hue : points.length > 150 ? "none" : "var(--surface)"}
              strokeWidth={0.75}
              fill={hue}
              fillOpacity={1}
              isAnimationActive={false}
              dot={single ? { r: 2.5, fill: hue } : false}
              activeDot={false}
              type="linear"
            />
          ))}
        </AreaChart>
      ) : (
        <LineChart {...frame}>
          {x}
          {y}
          {curve.series.map(({ key, hue, dash }) => (
            <Line
              key={key}
              dataKey={(row: Point<MetricKey>) => row[key]}
              name={key}
              stroke={hue}
              strokeWidth={1.6}
              strokeDasharray={single ? undefined : dash}
              isAnimationActive={false}
              dot={rows.length <= 2 ? { r: 2.5, fill: hue, stroke: "none" } : false}
              activeDot={false}
              connectNulls
              type="linear"
            />
          ))}
          {keys[0] === "accuracy/first" &&
            evaluations.flatMap(({ step, accuracyFirst, accuracyRefined }, at) =>
              Object.entries({ first: accuracyFirst, refined: accuracyRefined }).map(([answer, accuracy]) => (
                <ReferenceDot
                  // biome-ignore lint/suspicious/noArrayIndexKey: a step may be evaluated twice.
                  key={`${answer} ${at}`}
                  x={step}
                  y={accuracy}
                  r={3.5}
                  fill="var(--surface)"
                  stroke={`var(--${answer})`}
                  strokeWidth={1.5}
                />
              )),
            )}
        </LineChart>
      )}
    </ResponsiveContainer>
  );
});
