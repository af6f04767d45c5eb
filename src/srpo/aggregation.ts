/**
 * From token losses to one loss, under verl's names. Every aggregation is a weighted sum Σ w·loss over response tokens,
 * with weights from the lengths of the WHOLE batch: so the weights can be handed to a kernel, and a step gives the same
 * gradient however its rows are split into micro-batches.
 *
 * TRL's names: `grpo` = seq-mean-token-mean; `bnpo`, `dapo` = token-mean; `dr_grpo` = seq-mean-token-sum-norm with the
 * maximum completion length as horizon.
 */
export const AGGREGATIONS = [
  "token-mean",
  "seq-mean-token-sum",
  "seq-mean-token-mean",
  "seq-mean-token-sum-norm",
] as const;
export type Aggregation = (typeof AGGREGATIONS)[number];

export interface AggregationOptions {
  /** Constant length of `seq-mean-token-sum-norm` (Dr. GRPO's maximum); the longest row by default. */
  readonly horizon?: number;
}

/**
 * The weight of any one token of each row (it is the same along a row), loss = Σ_rows w_row·Σ_tokens loss.
 * @param lengths response tokens of every row of the step, not of a micro-batch; an empty row counts as a sequence of loss 0
 */
export function rowWeights(
  lengths: readonly number[],
  aggregation: Aggregation,
  options: AggregationOptions = {},
): readonly number[] {
  const bad = lengths.find((n) => !Number.isInteger(n) || n < 0);
  if (bad !== undefined) throw new RangeError(`A row has length ${bad}; expected a whole number of tokens, 0 or more.`);
  const rows = lengths.length;
  switch (aggregation) {
    case "token-mean": {
      const tokens = lengths.reduce((sum, n) => sum + n, 0);
      return lengths.map(() => 1 / Math.max(tokens, 1));
    }
    case "seq-mean-token-sum":
      return lengths.map(() => 1 / rows);
    case "seq-mean-token-mean":
      return lengths.map((n) => 1 / (rows * Math.max(n, 1)));
    case "seq-mean-token-sum-norm": {
      const horizon = options.horizon ?? Math.max(1, ...lengths);
      if (!(horizon > 0))
        throw new RangeError(`The horizon of seq-mean-token-sum-norm is ${horizon}; expected a length above 0.`);
      return lengths.map(() => 1 / (rows * horizon));
    }
    default:
      return unknownAggregation(aggregation);
  }
}

function unknownAggregation(aggregation: never): never {
  throw new RangeError(
    `Unknown aggregation ${JSON.stringify(aggregation)}; expected one of ${AGGREGATIONS.join(", ")}.`,
  );
}
