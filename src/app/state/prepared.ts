/**
 * The example group that a first visitor sees before the engine is ready: a file next to the page, made from the
 * shipped policy's own samples, and read by a schema, since it may be old or damaged.
 */
import { z } from "zod";
import type { ResponseFacts } from "../../srpo/facts";
import { TRANSITIONS } from "../../srpo/types";
import { FAMILY_NAMES, type GroupRecord, type SampleRecord } from "../../worker/protocol";

const segment = z.enum(["first", "reflection", "refined"]);
const solution = z.object({ think: z.string(), answer: z.string() }).nullable();

const base64 = z.base64().transform((text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));

const terms = z.object({
  format: z.number(),
  accuracy: z.number(),
  effectiveness: z.number(),
  reflectionFormat: z.number(),
  length: z.number(),
  lengthWeighted: z.number(),
  total: z.number(),
});

const right = z.object({ first: z.boolean(), refined: z.boolean() });

const reasons = z.object({ first: z.string(), refined: z.string() });

const facts = z.object({
  wellFormed: z.boolean(),
  wellFormedReleased: z.boolean(),
  reflectionBetween: z.boolean(),
  thinkBlocks: z.int().nonnegative(),
  answerBlocks: z.int().nonnegative(),
  right: z.object({ equivalent: right, exact: right }),
  lengthTokens: z.int().nonnegative(),
  baseTokens: z.int().nonnegative(),
  reflectionTokens: z.int().nonnegative(),
  refinedTokens: z.int().nonnegative(),
});

const score = z.object({
  firstSolution: solution,
  reflection: z.string().nullable(),
  refinedSolution: solution,
  wellFormed: z.boolean(),
  formatReasons: z.array(z.string()),
  firstRight: z.boolean(),
  refinedRight: z.boolean(),
  gradeReasons: z.object({ equivalent: reasons, exact: reasons }).exactOptional(),
  transition: z.enum(TRANSITIONS).nullable(),
  terms,
  facts,
});

const sample = z.object({
  text: z.string(),
  tokens: z.array(z.string()),
  tokenIds: z.array(z.number()),
  logprobs: z.array(z.number()),
  entropies: z.array(z.number()),
  segments: z.array(segment.nullable()),
  finished: z.boolean(),
  score,
  advantage: z.number(),
});

const preparedSchema = z
  .object({
    version: z.literal(1),
    problem: z.object({
      id: z.string(),
      family: z.enum(FAMILY_NAMES),
      question: z.string(),
      answer: z.string(),
      /** RGB bytes as base64. */
      picture: z.object({ width: z.int().positive(), height: z.int().positive(), pixels: base64 }),
    }),
    samples: z.array(sample).nonempty(),
    normalised: z.object({ mean: z.number(), std: z.number(), flat: z.boolean() }),
  })
  .refine(({ problem: { picture } }) => picture.pixels.length === picture.width * picture.height * 3, {
    error: "the picture does not have width × height × 3 bytes",
  });

/** @throws z.ZodError when the file is not a prepared group */
export function decodePrepared(json: unknown): GroupRecord {
  const { problem, samples, normalised } = preparedSchema.parse(json);
  return {
    problem,
    samples: samples.map((each) => ({ ...each, score: { ...each.score, facts: withTexts(each, problem.answer) } })),
    normalised,
  };
}

/** The file holds each text once; the facts of a response name them again. */
function withTexts({ text, score: read }: z.output<typeof sample>, truth: string): ResponseFacts {
  const { facts, firstSolution: first, reflection, refinedSolution: refined } = read;
  return { ...facts, texts: { response: text, truth, first, reflection, refined } };
}

/** A score without what the rest of the file says. */
function withoutTexts(scored: SampleRecord["score"]): object | undefined {
  if (scored === undefined || "error" in scored) return scored;
  const { texts: _texts, ...rest } = scored.facts;
  return { ...scored, facts: rest };
}

/** The file's content for a scored and normalised group. Log-probabilities to 4 decimals: they are only shown. */
export function encodePrepared({ problem, samples, normalised }: GroupRecord): string {
  const pixels = btoa(String.fromCharCode(...problem.picture.pixels));
  const rounded = (values: readonly number[]): number[] => values.map((value) => Math.round(value * 1e4) / 1e4);
  return JSON.stringify({
    version: 1,
    normalised,
    problem: { ...problem, picture: { ...problem.picture, pixels } },
    samples: samples.map(({ logprobsAfter: _after, allowed: _allowed, ...each }) => ({
      ...each,
      score: withoutTexts(each.score),
      logprobs: rounded(each.logprobs),
      entropies: rounded(each.entropies),
    })),
  });
}

/** The prepared group. @throws Error with the reason; the page works without it */
export async function fetchPrepared(address: string): Promise<GroupRecord> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`Cannot load the prepared group at ${address} (HTTP ${response.status}).`);
  return decodePrepared(await response.json());
}
