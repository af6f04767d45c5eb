/** The ratio histogram's arithmetic: the bins of a step, and where a ratio stands on their axis. */
import { LOG_RATIO_EDGES } from "../../srpo/ratioStatistics";
import type { Settings, StepMetrics } from "../../worker/protocol";
import { ratioBinKey } from "../../worker/protocol";

export const BINS = LOG_RATIO_EDGES.length + 1;

/** Shares of the tokens by bin; null where the step measured none: every ratio is 1 with one update and no replay. */
export function ratioBins(metrics: StepMetrics): readonly number[] | null {
  const shares = Array.from({ length: BINS }, (_, bin) => metrics[ratioBinKey(bin)]);
  return shares.every((share) => share !== undefined) ? shares.map((share) => share ?? 0) : null;
}

/**
 * Where log ρ stands on an axis of equally wide bins: 0 is the left edge of the first, BINS the right one of the last.
 * Within a bin the place is found on the edges' own scale: by logarithm, in the middle bin linearly. The open bins at
 * the ends span another factor of e².
 */
export function placeOf(logRatio: number): number {
  const edges = [-3, ...LOG_RATIO_EDGES, 3];
  const bin = Math.min(
    BINS - 1,
    Math.max(
      0,
      edges.findLastIndex((edge) => logRatio >= edge),
    ),
  );
  const [low = 0, high = 0] = [edges[bin], edges[bin + 1]];
  const share = low < 0 && high > 0 ? (logRatio - low) / (high - low) : Math.log(logRatio / low) / Math.log(high / low);
  return bin + Math.min(1, Math.max(0, share));
}

/** The bounds that the settings' surrogate puts on a ratio; null for a side without one, and for SAPO's gates. */
export function ratioBounds(
  grpo: Pick<Settings["grpo"], "surrogate" | "clipLow" | "clipHigh" | "cispoLow" | "cispoHigh">,
): { readonly low: number | null; readonly high: number | null } {
  switch (grpo.surrogate) {
    case "clip":
      return { low: grpo.clipLow < 1 ? 1 - grpo.clipLow : null, high: 1 + grpo.clipHigh };
    case "cispo":
      return { low: grpo.cispoLow > 0 ? grpo.cispoLow : null, high: grpo.cispoHigh };
    case "sapo":
      return { low: null, high: null };
    default:
      return grpo.surrogate satisfies never;
  }
}
