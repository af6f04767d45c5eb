/** A response for the table: its tokens by segment and block, and the explanation of a token's numbers. */
import { explainRatio, explainSurrogate } from "../../srpo/explainUpdate";
import { evaluateObjective, objectiveOf } from "../../srpo/objective";
import type { Segment } from "../../srpo/types";
import type { SampleRecord, Settings } from "../../worker/protocol";
import type { Explanation } from "../parts/Why";
import { explainGiven, isGiven } from "./given";
import { number } from "./words";

export interface SegmentTokens {
  /** Indices of the tokens of its think block (or of the reflection), without tags. */
  readonly text: readonly number[];
  readonly answer: readonly number[];
}

/** A tag of any name, since a run may name those of the reflection; `<unk>` is a word outside the vocabulary. */
const TAG = /^\s*<(\/?)(?!unk>)([A-Za-z][\w-]*)>\s*$/;

/**
 * Tokens by segment and round, without tags and without tokens of no segment (the end token, stray text). There is one
 * list a segment unless the response has several rounds of reflection: then its reflections and its refined solutions
 * have as many.
 */
export function tokensBySegment(
  sample: SampleRecord,
): Readonly<Record<Segment, readonly [SegmentTokens, ...SegmentTokens[]]>> {
  const rounds = Math.max(1, ...(sample.rounds ?? []));
  const empty = (): { text: number[]; answer: number[] } => ({ text: [], answer: [] });
  const several = (): [ReturnType<typeof empty>, ...ReturnType<typeof empty>[]] => [
    empty(),
    ...Array.from({ length: rounds - 1 }, empty),
  ];
  const found = { first: [empty()] as const, reflection: several(), refined: several() };
  let block = "";
  sample.tokens.forEach((token, at) => {
    const tag = TAG.exec(token);
    if (tag) {
      block = tag[1] === "/" ? "" : (tag[2] ?? "");
      return;
    }
    const segment = sample.segments[at];
    if (!segment) return;
    const round = segment === "first" ? 0 : Math.max(0, (sample.rounds?.[at] ?? 1) - 1);
    found[segment][round]?.[block === "answer" ? "answer" : "text"].push(at);
  });
  return found;
}

/** A special token, such as the end of a turn. */
const SPECIAL = /^<\|.*\|>$/;

/** The tokens of a response without any block; empty if it has one. */
export function strayTokens(sample: SampleRecord): readonly number[] {
  if (sample.segments.some((segment) => segment !== null)) return [];
  return sample.tokens.flatMap((token, at) => (SPECIAL.test(token) ? [] : [at]));
}

/** Word-level tokens are separated by spaces; byte-pair tokens contain them. */
export function separator(sample: SampleRecord): "" | " " {
  return sample.tokens.some((token) => /^\s|\s$|^Ġ/.test(token)) ? "" : " ";
}

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Sums over all tokens of a response, also when the record has only the first ones. */
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

/** The response's log-probability before and after the update; null before the update. */
export function probabilityChange(sample: SampleRecord): { readonly before: number; readonly after: number } | null {
  const { logprob, logprobAfter } = wholeOf(sample);
  return logprobAfter === undefined ? null : { before: logprob, after: logprobAfter };
}

/** Smaller changes of the log-probability, in nats, get no arrow. */
const STILL = 0.0005;

/** The direction of the change; "same" before the update. */
export function changeDirection(sample: SampleRecord): "up" | "down" | "same" {
  const change = probabilityChange(sample);
  if (change === null) return "same";
  const by = change.after - change.before;
  return by > STILL ? "up" : by < -STILL ? "down" : "same";
}

/** What changed the response's probability if not its own advantage; "" if it was. */
export function movedByOthers(sample: SampleRecord): string {
  const direction = changeDirection(sample);
  const { advantage } = sample;
  if (direction === "same" || advantage === undefined) return "";
  if (Math.abs(advantage) < 1e-9)
    return " Its own advantage is 0. The other groups of the step and AdamW's momentum changed the shared weights.";
  if (advantage > 0 === (direction === "up")) return "";
  return (
    " Its own advantage points the other way, but the step's other responses and AdamW's momentum had more influence " +
    "on the shared weights."
  );
}

/** Why a token's numbers are what they are; after an update also its ratio, and what the objective makes of it. */
export function explainToken(sample: SampleRecord, at: number, grpo: Settings["grpo"]): Explanation {
  if (isGiven(sample, at)) return explainGiven(sample, at);
  const before = sample.logprobs[at] ?? 0;
  const entropy = sample.entropies[at] ?? 0;
  const after = sample.logprobsAfter?.[at];
  const title = `“${sample.tokens[at]?.trim() ?? ""}” · token ${at + 1} of ${wholeOf(sample).tokens}`;
  const p = number(100 * Math.exp(before), 1);
  const atSampling = `log p = ${number(before, 3)} · p = ${p} % · entropy ${number(entropy, 3)} nats`;
  if (after === undefined || sample.logprobsAfter === undefined) {
    return {
      title,
      numbers: atSampling,
      sentence:
        Math.exp(before) > 0.9
          ? "The policy was confident of this word."
          : Math.exp(before) > 0.4
            ? "Other words were likely here, too."
            : "An unlikely word, picked by sampling.",
    };
  }
  const advantage = sample.advantage ?? 0;
  // Without the KL term: the page does not have its reference log-probabilities.
  const objective = objectiveOf({ ...grpo, beta: 0 }, sample.logprobs.length);
  const row = { length: sample.logprobs.length, logp: sample.logprobsAfter, oldLogp: sample.logprobs, advantage };
  const { logprob, logprobAfter, tokens } = wholeOf(sample);
  const used =
    objective.level === "sequence" && sample.whole !== undefined && logprobAfter !== undefined
      ? Math.exp((logprobAfter - logprob) / tokens) // the record holds the first tokens only
      : (evaluateObjective([row], objective).ratios[0]?.[at] ?? 1);
  const ratio = explainRatio(after, before, used, objective.level);
  const next = explainSurrogate(used, advantage, after, objective.surrogate, objective.level);
  const again = `${next.sentence.charAt(0).toLowerCase()}${next.sentence.slice(1)}`;
  return {
    title,
    formula: `${ratio.formula}\n${next.formula}`,
    numbers: `${atSampling}\n${ratio.substituted}\n${next.substituted}`,
    sentence: `${ratio.sentence} In another update on this rollout: ${again}`,
  };
}
