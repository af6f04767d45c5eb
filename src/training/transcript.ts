/** Converts token ids to the text in records and scorers. */

import { cutAfterStop, stopCheck } from "../policy/generation/stopStrings";
import type { CheckpointFiles, Policy } from "../policy/policy";
import { PolicyTokenizer } from "../policy/processor/tokenizer";
import { tokenRounds, tokenSegments } from "../srpo/format";
import type { ReflectionForm } from "../srpo/reflectionForm";
import type { CountTokens } from "../srpo/score";
import { problemRecord } from "./dataCursor";
import type { GroupPrefix, GroupRecord, SampleRecord } from "./records";
import type { Settings } from "./settings";
import type { RethoughtRow, SampledRow } from "./state";
import type { TrainingProblem } from "./trainingProblem";

/**
 * The response as text: without its end token, cut after the stop string that ended it (its last token may continue
 * past it).
 */
export function textOf(
  { tokenizer, config }: Policy,
  tokens: readonly number[],
  stopStrings: readonly string[],
): string {
  const last = tokens.at(-1);
  const ended = last !== undefined && config.text.eosTokenIds.includes(last);
  return cutAfterStop(tokenizer.decode(ended ? tokens.slice(0, -1) : tokens), stopStrings);
}

/** A response as tokens to train on, the end token included. */
export function responseTokens(policy: Policy, text: string): Int32Array {
  return policy.encodeResponse(text);
}

/** Counts a text in the policy's own tokens: what f_len is computed from. Words outside the vocabulary count as one. */
export function tokenCounter({ tokenizer }: Pick<Policy, "tokenizer">): CountTokens {
  return (text) => tokenizer.encode(text, { unknown: "replace" }).length;
}

/** The token counter of a folder, without its weights. */
export async function loadTokenCounter(files: CheckpointFiles): Promise<CountTokens> {
  return tokenCounter({ tokenizer: await PolicyTokenizer.open(files) });
}

/** Tokens of a response up to the end of its first answer; null where no answer is closed. */
export function firstSolutionLength({ tokenizer }: Policy, tokens: readonly number[]): number | null {
  return stopCheck(tokenizer, ["</answer>"])(Int32Array.from(tokens), 0);
}

/** What of a sampled group its record is made of. */
interface Sampled {
  readonly problem: TrainingProblem;
  readonly prefix: readonly number[];
  readonly rows: readonly SampledRow[];
  readonly rethought: readonly RethoughtRow[];
}

export function groupRecord(
  policy: Policy,
  { problem, prefix, rows, rethought }: Sampled,
  settings: Settings,
): GroupRecord {
  const factors = settings.reward.adaptiveTiers?.factors;
  return {
    problem: problemRecord(problem),
    ...(factors === undefined ? {} : { tierFactors: factors }),
    samples: rows.map((row) => sampleRecord(policy, row, prefix, settings)),
    ...(rethought.length === 0
      ? {}
      : {
          rethought: rethought.map(({ forcedFrom, continuedFrom, ...row }) => ({
            ...sampleRecord(policy, row, [], settings),
            forcedFrom,
            continuedFrom,
          })),
        }),
    ...(prefix.length === 0 ? {} : { prefix: prefixRecord(policy, prefix, settings.reflectionForm) }),
  };
}

function prefixRecord(policy: Policy, prefix: readonly number[], form: ReflectionForm): GroupPrefix {
  const tokens = wordsOf(policy, prefix);
  return { tokens, segments: tokenSegments(policy.tokenizer.decode(prefix), tokens, form) };
}

/** @param prefix tokens before those of the row; they count in the text, and the row goes on in its segments */
function sampleRecord(
  policy: Policy,
  { tokens, logprobs, entropies, allowed, finished }: SampledRow,
  prefix: readonly number[],
  { rollout, reflectionForm }: Settings,
): SampleRecord {
  const text = textOf(policy, [...prefix, ...tokens], rollout.stopStrings);
  const words = wordsOf(policy, tokens);
  const all = [...wordsOf(policy, prefix), ...words];
  return {
    text,
    tokens: words,
    tokenIds: tokens,
    logprobs,
    entropies,
    ...(allowed === undefined ? {} : { allowed }),
    segments: tokenSegments(text, all, reflectionForm).slice(prefix.length),
    ...(reflectionForm.rounds === 1 ? {} : { rounds: tokenRounds(text, all, reflectionForm).slice(prefix.length) }),
    finished,
  };
}

function wordsOf({ tokenizer }: Policy, tokens: readonly number[]): string[] {
  return tokens.map((id) => tokenizer.decode([id]));
}
