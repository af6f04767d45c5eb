/** The table of docs/reliability.md: the recorded results of every attack. */
import { z } from "zod";
import { attackResultSchema } from "./attack";
import { ATTACKS } from "./attacks";

/** A result, and the command that repeats it. */
const recordedSchema = attackResultSchema.extend({ name: z.enum(ATTACKS), command: z.string() });
export const recordSchema = z.array(recordedSchema);
export type Recorded = z.output<typeof recordedSchema>;

/** Where `npm run attack -- NAME --record` keeps results. */
export const RECORD = "docs/results/attacks.json";

/** The record with these results in place of earlier ones of the same kind. */
export function recordedWith(record: readonly Recorded[], results: readonly Recorded[]): readonly Recorded[] {
  const all = [...record.filter((each) => !results.some(({ attack }) => attack === each.attack)), ...results];
  return all.sort((a, b) => ATTACKS.indexOf(a.name) - ATTACKS.indexOf(b.name));
}

export function attackTable(record: readonly Recorded[]): string {
  return [
    "| attack | tries | survived | command |",
    "|---|---:|---:|---|",
    ...record.map(({ attack, tries, survived, command }) => `| ${attack} | ${tries} | ${survived} | \`${command}\` |`),
    "",
  ].join("\n");
}
