/**
 * Fewer points than pixels without losing what matters: every bucket of steps keeps its extremes, so a spike
 * survives where a mean would smooth it away. Recharts draws SVG and is quick up to some 500 points.
 */

/** Rows drawn at most; two a bucket. */
export const MAX_POINTS = 400;

/** One drawn point: the step, and the value of each series there; undefined where nothing was measured. */
export type Point<Key extends string> = { readonly step: number } & { readonly [K in Key]?: number | undefined };

function buckets<Row>(rows: readonly Row[], count: number): (readonly Row[])[] {
  return Array.from({ length: count }, (_, at) =>
    rows.slice(Math.floor((at * rows.length) / count), Math.floor(((at + 1) * rows.length) / count)),
  );
}

/**
 * For independent lines: each bucket becomes two points autoAdvance each series' least and greatest value in the
 * order in which they occurred. x is off by less than one bucket, that is by less than a pixel or two.
 */
export function decimateLines<Key extends string>(
  rows: readonly Point<Key>[],
  keys: readonly Key[],
  limit = MAX_POINTS,
): readonly Point<Key>[] {
  if (rows.length <= limit) return rows;
  return buckets(rows, Math.floor(limit / 2)).flatMap((bucket): Point<Key>[] => {
    const first = bucket[0];
    const last = bucket.at(-1);
    if (first === undefined || last === undefined) return [];
    const early: Record<string, number | undefined> = { step: first.step };
    const late: Record<string, number | undefined> = { step: last.step };
    for (const key of keys) {
      let low = Infinity,
        high = -Infinity,
        lowAt = -1,
        highAt = -1;
      bucket.forEach((row, at) => {
        const value = row[key];
        if (value === undefined) return;
        if (value < low) {
          low = value;
          lowAt = at;
        }
        if (value > high) {
          high = value;
          highAt = at;
        }
      });
      if (lowAt < 0) continue;
      early[key] = lowAt <= highAt ? low : high;
      late[key] = lowAt <= highAt ? high : low;
    }
    return [early as Point<Key>, late as Point<Key>];
  });
}

/**
 * For stacked series, whose parts must add up: whole rows are kept, those where `leading` is least and greatest.
 */
export function decimateRows<Key extends string>(
  rows: readonly Point<Key>[],
  leading: Key,
  limit = MAX_POINTS,
): readonly Point<Key>[] {
  if (rows.length <= limit) return rows;
  const value = (row: Point<Key>): number => row[leading] ?? 0;
  return buckets(rows, Math.floor(limit / 2)).flatMap((bucket) => {
    const first = bucket[0];
    if (first === undefined) return [];
    const low = bucket.reduce((best, row) => (value(row) < value(best) ? row : best), first);
    const high = bucket.reduce((best, row) => (value(row) > value(best) ? row : best), first);
    if (low === high) return [low];
    return low.step < high.step ? [low, high] : [high, low];
  });
}
