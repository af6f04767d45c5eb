/**
 * A response as the table shows it: which tokens are thought, which are the answer, and what one token's numbers say.
 */
import { explainRatio, explainSurrogate } from "../../srpo/explainUpdate";
import { evaluateObjective, objectiveOf } from "../../srpo/objective";
import type { Segment } from "../../srpo/types";
import type { SampleRecord, Settings } from "../../worker/protocol";
import type { Explanation } from "../parts/Why";
import { number } from "./words";

export interface SegmentTokens {
  /** Indices of the tokens of its think block (or of the reflection), tags left out. */
  readonly text: readonly number[];
  readonly answer: readonly number[];
}

const TAG = /^\s*<(\/?)(think|answer|reflection)>\s*$/;

/** Tokens by segment, tags left out; tokens of no segment (the end token, stray text) stay out as well. */
export function tokensBySegment(sample: SampleRecord): Readonly<Record<Segment, SegmentTokens>> {
  const found: Record<Segment, { text: number[]; answer: number[] }> = {
    first: { text: [], answer: [] },
    reflection: { text: [], answer: [] },
    refined: { text: [], answer: [] },
  };
  let block = "";
  sample.tokens.forEach((token, at) => {
    const tag = TAG.exec(token);
    if (tag) {
      block = tag[1] === "/" ? "" : (tag[2] ?? "");
      return;
    }
    const segment = sample.segments[at];
    if (segment) found[segment][block === "answer" ? "answer" : "text"].push(at);
  });
  return found;
}

/** A special token such as the one that ends a turn: nothing anybody said. */
const SPECIAL = /^<\|.*\|>$/;

/** What a response says where it says nothing inside any block; empty as soon as one segment speaks. */
export function strayTokens(sample: SampleRecord): readonly number[] {
  if (sample.segments.some((segment) => segment !== null)) return [];
  return sample.tokens.flatMap((token, at) => (SPECIAL.test(token) ? [] : [at]));
}

/** Word-level tokens stand apart; byte-pair tokens carry their own spaces. */
export function separator(sample: SampleRecord): "" | " " {
  return sample.tokens.some((token) => /^\s|\s$|^Ġ/.test(token)) ? "" : " ";
}

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** What all tokens of a response come to, also where the record shows the first of them only. */
export function wholeOf(sample: SampleRecord): NonNullable<SampleRecord["whole"]> {
  const { tokens, logprobs, entropies, logprobsAfter } = sample;
  return (
    sample.whole ?? {
      tokens: tokens.length,
      logprob: sumOf(logprobs),
      entropy: sumOf(entropies),
      ...(logprobsAfter ? { logprobAfter: sumOf(logprobsAfter) } : {}),
    }
  );
}

/** How the update moved the log-probability of the whole response; null before it. */
export function probabilityChange(sample: SampleRecord): { readonly before: number; readonly after: number } | null {
  const { logprob, logprobAfter } = wholeOf(sample);
  return logprobAfter === undefined ? null : { before: logprob, after: logprobAfter };
}

/** Log-probability, nats: less than this is no movement worth an arrow. */
const STILL = 0.0005;

/** Which way the update moved the response; "same" before it. */
export function changeDirection(sample: SampleRecord): "up" | "down" | "same" {
  const change = probabilityChange(sample);
  if (change === null) return "same";
  const by = change.after - change.before;
  return by > STILL ? "up" : by < -STILL ? "down" : "same";
}

/** What moved the response, where it was not its own advantage; "" where it was. */
export function movedByOthers(sample: SampleRecord): string {
  const direction = changeDirection(sample);
  const { advantage } = sample;
  if (direction === "same" || advantage === undefined) return "";
  if (Math.abs(advantage) < 1e-9)
    return (
      " Its own advantage is 0 and pushed nothing: the step's other groups, AdamW's momentum and the weights " +
      "that all responses share moved it."
    );
  if (advantage > 0 === (direction === "up")) return "";
  return (
    " Its own advantage pushes the other way: the step's other responses, AdamW's momentum and the weights that " +
    "all of them share outweighed it."
  );
}

/** Why a token's numbers are what they are; after an update also its ratio, and what the objective makes of it. */
export function explainToken(sample: SampleRecord, at: number, grpo: Settings["grpo"]): Explanation {
  const before = sample.logprobs[at] ?? 0;
  const entropy = sample.entropies[at] ?? 0;
  const after = sample.logprobsAfter?.[at];
  const title = `“${sample.tokens[at]?.trim() ?? ""}” · token ${at + 1} of ${wholeOf(sample).tokens}`;
  const said =
    `log p = ${number(before, 3)} · p = ${number(100 * Math.exp(before), 1)} % · entropy ` +
    `${number(entropy, 3)} nats`;
  if (after === undefined || sample.logprobsAfter === undefined) {
    return {
      title,
      numbers: said,
      sentence:
        Math.exp(before) > 0.9
          ? "The policy was sure of this word."
          : Math.exp(before) > 0.4
            ? "Another word could have stood here."
            : "An unlikely word: sampling took a chance.",
    };
  }
  const advantage = sample.advantage ?? 0;
  // Without the KL term: its reference is not on the page.
  const objective = objectiveOf({ ...grpo, beta: 0 }, sample.logprobs.length);
  const row = { length: sample.logprobs.length, logp: sample.logprobsAfter, oldLogp: sample.logprobs, advantage };
  const used = evaluateObjective([row], objective).ratios[0]?.[at] ?? 1;
  const ratio = explainRatio(after, before, used, objective.level);
  const next = explainSurrogate(used, advantage, after, objective.surrogate);
  return {
    title,
    formula: `${ratio.formula}\n${next.formula}`,
    numbers: `${said}\n${ratio.substituted}\n${next.substituted}`,
    sentence:
      `${ratio.sentence} Were this rollout used for another update: ` +
      `${next.sentence.charAt(0).toLowerCase()}${next.sentence.slice(1)}`,
  };
}
