/**
 * Statistics of repeated measurements. Repetitions of the contenders are interleaved, so that whatever else the machine
 * does affects all of them: a ratio is the median of the ratios of neighbouring repetitions, not the ratio of two
 * medians.
 */

/** Median and quartiles of repeated measurements, in the unit measured. */
export interface Spread {
  readonly median: number;
  readonly q1: number;
  readonly q3: number;
  readonly repetitions: number;
}

/**
 * The `q`-quantile (0 to 1) by linear interpolation between order statistics (Hyndman and Fan's type 7).
 * @throws Error when there is no value
 */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new Error("quantile: there is no value; measure at least once.");
  const sorted = [...values].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), q1: quantile(values, 0.25), q3: quantile(values, 0.75), repetitions: values.length };
}

/**
 * Median of `values[i] / base[i]` over interleaved repetitions.
 * @throws Error when the two have different numbers of repetitions
 */
export function medianRatio(values: readonly number[], base: readonly number[]): number {
  if (values.length !== base.length)
    throw new Error(
      `medianRatio: ${values.length} repetitions against ${base.length}; interleaved ones are equally many.`,
    );
  return median(values.map((value, i) => value / (base[i] ?? Number.NaN)));
}
