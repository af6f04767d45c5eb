/** How far the policy had moved from the one that sampled: the step's tokens by ratio, and the bounds of the clip. */

import { LOG_RATIO_EDGES } from "../../srpo/ratioStatistics";
import type { Settings, StepMetrics } from "../../worker/protocol";
import { number, percent } from "../state/words";
import { BINS, placeOf, ratioBins, ratioBounds } from "./ratioBins";

/** Edges with a number below the axis, by log ρ. */
const LABELLED = [-1, -0.1, -0.01, 0.01, 0.1, 1] as const;
/** Of the drawing, in its own units. */
const WIDTH = 312,
  HEIGHT = 62,
  TOP = 12;

const at = (logRatio: number): number => (placeOf(logRatio) / BINS) * WIDTH;

interface RatioHistogramProps {
  readonly metrics: StepMetrics;
  readonly grpo: Settings["grpo"];
}

export function RatioHistogram({ metrics, grpo }: RatioHistogramProps) {
  const bins = ratioBins(metrics);
  if (bins === null) return null;
  const { low, high } = ratioBounds(grpo);
  const bounds = [low, high].flatMap((bound) => (bound === null ? [] : [bound]));
  const tallest = Math.max(...bins);
  const width = WIDTH / BINS;
  return (
    <figure className="ratios" role="img" aria-label={described(bins, bounds)}>
      <figcaption aria-hidden="true">
        <b>
          Ratio ρ = π/π<sub>old</sub>
        </b>
        <span>% of tokens</span>
        {bounds.length > 0 && (
          <span className="ratios-key">
            <i /> {grpo.surrogate === "cispo" ? "cap" : "clip"} {bounds.map((bound) => number(bound)).join(", ")}
          </span>
        )}
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${TOP + HEIGHT + 14}`} aria-hidden="true" focusable="false">
        {bins.map((share, bin) => {
          const height = share === 0 ? 0 : Math.max(1.5, (share / tallest) * HEIGHT);
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a bin is known by its place.
            <g key={bin}>
              <rect
                className={bin === (BINS - 1) / 2 ? "ratio-bar is-still" : "ratio-bar"}
                x={bin * width + 1.5}
                width={width - 3}
                y={TOP + HEIGHT - height}
                height={height}
                rx={1.5}
              />
              {share > 0 && (
                <text className="ratio-share" x={(bin + 0.5) * width} y={TOP + HEIGHT - height - 3}>
                  {short(share)}
                </text>
              )}
            </g>
          );
        })}
        <line className="ratio-axis" x1={0} x2={WIDTH} y1={TOP + HEIGHT + 0.5} y2={TOP + HEIGHT + 0.5} />
        {bounds.map((bound) => (
          <line
            key={bound}
            className="ratio-bound"
            x1={at(Math.log(bound))}
            x2={at(Math.log(bound))}
            y1={2}
            y2={TOP + HEIGHT + 4}
          />
        ))}
        {LABELLED.map((logRatio) => (
          <text key={logRatio} className="ratio-tick" x={at(logRatio)} y={TOP + HEIGHT + 12}>
            {number(Math.exp(logRatio), 2)}
          </text>
        ))}
      </svg>
    </figure>
  );
}

/** Per cent in as few digits as a bar has room for. */
function short(share: number): string {
  return share < 0.0095 ? "<1" : String(Math.round(100 * share));
}

function described(bins: readonly number[], bounds: readonly number[]): string {
  const still = bins[(BINS - 1) / 2] ?? 0;
  const far = LOG_RATIO_EDGES.indexOf(0.1);
  const moved = bins.reduce((sum, share, bin) => (bin > far || bin < BINS - 1 - far ? sum + share : sum), 0);
  const clip = bounds.length === 0 ? "" : ` Bounds at ${bounds.map((bound) => number(bound)).join(" and ")}.`;
  return (
    `Ratios of the step's tokens: ${percent(still)} within 0.3 % of 1, ${percent(moved)} more than about 10 % away.` +
    clip
  );
}
