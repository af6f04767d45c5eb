/** The lines of a reflection file in numbers: examples by strategy, what was discarded, and what the teacher cost. */
import { z } from "zod";
import { parseLines, readInput } from "../arguments/inputFile";
import { cutToWholeLines, readIfThere } from "../files/atomicWrite";
import { type Cost, NO_COST, type ReflectionLine } from "./reflections";

const costSchema = z.object({ requests: z.number(), promptTokens: z.number(), completionTokens: z.number() });
/** What of a line is counted. */
const lineSchema = z.object({
  problem: z.string(),
  discarded: z.string().optional(),
  refused: z.literal(true).optional(),
  firstRight: z.boolean().optional(),
  cost: costSchema,
});

export type Summarised = z.output<typeof lineSchema>;

/** The lines of the file; half a line, left by a killed process, is cut off. */
export async function linesOf(path: string): Promise<Summarised[]> {
  await cutToWholeLines(path);
  return (await readIfThere(path)) === null ? [] : parseLines(path, await readInput(path), lineSchema);
}

export function summarised(line: ReflectionLine): Summarised {
  return {
    problem: line.problem,
    cost: line.cost,
    ...("discarded" in line
      ? { discarded: line.discarded, ...(line.refused ? { refused: true as const } : {}) }
      : { firstRight: line.firstRight }),
  };
}

export function totalCost(lines: readonly Summarised[]): Cost {
  return lines.reduce<Cost>(
    (sum, { cost }) => ({
      requests: sum.requests + cost.requests,
      promptTokens: sum.promptTokens + cost.promptTokens,
      completionTokens: sum.completionTokens + cost.completionTokens,
    }),
    NO_COST,
  );
}

/** Per million tokens. */
export interface Prices {
  readonly prompt: number;
  readonly completion: number;
}

/** In the currency of the prices. */
function priceOf({ promptTokens, completionTokens }: Cost, { prompt, completion }: Prices): number {
  return (promptTokens * prompt + completionTokens * completion) / 1e6;
}

export function costNote(cost: Cost, prices: Prices | null): string {
  const tokens = `${cost.promptTokens + cost.completionTokens} tokens`;
  return prices === null ? tokens : `${tokens}, ${priceOf(cost, prices).toFixed(2)}`;
}

export function summary(lines: readonly Summarised[], prices: Prices | null): object {
  const right = lines.filter((line) => line.firstRight === true).length;
  const wrong = lines.filter((line) => line.firstRight === false).length;
  const cost = totalCost(lines);
  return {
    examples: right + wrong,
    right,
    wrong,
    discarded: lines.length - right - wrong,
    refused: lines.filter(({ refused }) => refused === true).length,
    ...cost,
    price: prices === null ? null : priceOf(cost, prices),
  };
}
