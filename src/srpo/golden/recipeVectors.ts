/** The vectors of recipe_vectors.json (its `how` sentences say how they were made), parsed for this room's tests. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { KL_ESTIMATORS } from "../types";

const row = z.array(z.number());
const batch = z.object({
  name: z.string(),
  groupSize: z.number(),
  lengths: row,
  rewards: z.array(z.number().nullable()).optional(),
  terms: z.record(z.string(), row).optional(),
});
const advantageCase = z.object({
  source: z.string(),
  batch: z.string(),
  termWeights: z.record(z.string(), z.number()).optional(),
  advantages: row,
});
export type AdvantageBatch = z.output<typeof batch>;
export type AdvantageCase = z.output<typeof advantageCase>;

const policyLoss = z.object({ loss: z.number(), gradient: z.array(row), metrics: z.record(z.string(), z.number()) });
export type PolicyLoss = z.output<typeof policyLoss>;

/** A way to subtract KL from the reward; what a trainer does not compute is left out. */
const klCase = z.object({
  source: z.string(),
  kl: z.enum(KL_ESTIMATORS),
  tokenRewards: z.array(row).optional(),
  rewards: row.optional(),
  meanKl: z.number().optional(),
  /** By estimator: one a response. */
  advantages: z.record(z.string(), row).optional(),
  /** By estimator: one a token (OpenRLHF). */
  tokenAdvantages: z.record(z.string(), z.array(row)).optional(),
});

const schema = z.object({
  advantages: z.object({ batches: z.array(batch), cases: z.array(advantageCase) }),
  policyLosses: z.object({
    lengths: row,
    advantages: row,
    logp: z.array(row),
    oldLogp: z.array(row),
    refLogp: z.array(row),
    losses: z.record(z.string(), policyLoss),
  }),
  truncation: z.object({
    /** Rows left out of the losses. */
    truncated: row,
    losses: z.record(z.string(), policyLoss),
    group: z.object({
      rewards: row,
      lengths: row,
      truncated: row,
      advantages: row,
      lossTokens: row,
      tokensInBatch: z.number(),
    }),
  }),
  klInReward: z.object({ beta: z.number(), groupSize: z.number(), rewards: row, cases: z.array(klCase) }),
  overlong: z.object({
    cases: z.array(
      z.object({
        source: z.string(),
        maxLength: z.number(),
        cache: z.number(),
        factor: z.number(),
        lengths: row,
        penalties: row,
      }),
    ),
  }),
});

export const recipeVectors = schema.parse(
  JSON.parse(readFileSync(new URL("recipe_vectors.json", import.meta.url), "utf8")),
);
