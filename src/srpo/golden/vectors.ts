/** The golden vectors of four trainers (see `_provenance` in grpo_vectors.json), parsed for the tests of this room. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const row = z.array(z.number());
const lossVector = z.object({
  loss: z.number(),
  grad_norm: z.number(),
  grad_row0: row.optional(),
  grad_row2: row.optional(),
  metrics: z.record(z.string(), z.number()),
});
export type LossVector = z.output<typeof lossVector>;

const schema = z.object({
  shape: z.object({ B: z.number(), T: z.number(), G: z.number() }),
  lens: row,
  logp: z.array(row),
  old_logp: z.array(row),
  ref_logp: z.array(row),
  rewards: row,
  beta: z.number(),
  advantages: z.record(z.string(), z.union([row, z.number()])),
  loss_advantages: row,
  losses: z.record(z.string(), lossVector),
  kl: z.record(z.string(), row),
});

export const vectors = schema.parse(JSON.parse(readFileSync(new URL("grpo_vectors.json", import.meta.url), "utf8")));

/** A vector of `advantages` or `kl` by name; throws for an unknown name. */
export function vector(table: "advantages" | "kl", name: string): number[] {
  const found = vectors[table][name];
  if (!Array.isArray(found)) throw new Error(`grpo_vectors.json has no list ${table}["${name}"].`);
  return found;
}
