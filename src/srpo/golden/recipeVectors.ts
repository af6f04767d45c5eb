/** The vectors of recipe_vectors.json (its `how` sentences say how they were made), parsed for this room's tests. */
import { readFileSync } from "node:fs";
import { z } from "zod";

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

const schema = z.object({
  advantages: z.object({ batches: z.array(batch), cases: z.array(advantageCase) }),
});

export const recipeVectors = schema.parse(
  JSON.parse(readFileSync(new URL("recipe_vectors.json", import.meta.url), "utf8")),
);
