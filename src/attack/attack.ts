/** What an attack on the product is and what it reports. */
import { z } from "zod";

export const attackResultSchema = z.object({
  /** What was done, e.g. "kill during GRPO steps". */
  attack: z.string().min(1),
  tries: z.int().nonnegative(),
  survived: z.int().nonnegative(),
  /** One line for each try that was not survived, and figures worth keeping. */
  detail: z.array(z.string()),
});
export type AttackResult = z.output<typeof attackResultSchema>;

export interface AttackOptions {
  /** Tries of each kind; null: the attack's own number. */
  readonly tries: number | null;
  /** Only the kinds whose name contains it; null: all. */
  readonly only: string | null;
  /** Of every random choice: the same seed repeats an attack. */
  readonly seed: number;
  /** One line for the terminal. */
  readonly onProgress: (line: string) => void;
}

export const isWanted = (kind: string, { only }: Pick<AttackOptions, "only">): boolean =>
  only === null || kind.includes(only);

/** → one result for each kind of try */
export type Attack = (options: AttackOptions) => Promise<AttackResult | readonly AttackResult[]>;
