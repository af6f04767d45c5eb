/** Converts token ids to the text in records and scorers. */

import { cutAfterStop, stopCheck } from "../policy/generation/stopStrings";
import type { CheckpointFiles, Policy } from "../policy/policy";
import { PolicyTokenizer } from "../policy/processor/tokenizer";
import { tokenSegments } from "../srpo/format";
import type { CountTokens } from "../srpo/score";
import { problemRecord } from "./dataCursor";
import type { GroupPrefix, GroupRecord, SampleRecord } from "./records";
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
  stopStrings: readonly string[],
): GroupRecord {
  return {
    problem: problemRecord(problem),
    samples: rows.map((row) => sampleRecord(policy, row, prefix, stopStrings)),
    ...(rethought.length === 0
      ? {}
      : {
          rethought: rethought.map(({ forcedFrom, continuedFrom, ...row }) => ({
            ...sampleRecord(policy, row, [], stopStrings),
            forcedFrom,
            continuedFrom,
          })),
        }),
    ...(prefix.length === 0 ? {} : { prefix: prefixRecord(policy, prefix) }),
  };
}

function prefixRecord(policy: Policy, prefix: readonly number[]): GroupPrefix {
  const tokens = wordsOf(policy, prefix);
  return { tokens, segments: tokenSegments(policy.tokenizer.decode(prefix), tokens) };
}

/** @param prefix tokens before those of the row; they count in the text, and the row goes on in its segments */
function sampleRecord(
  policy: Policy,
  { tokens, logprobs, entropies, finished }: SampledRow,
  prefix: readonly number[],
  stopStrings: readonly string[],
): SampleRecord {
  const text = textOf(policy, [...prefix, ...tokens], stopStrings);
  const words = wordsOf(policy, tokens);
  const segments = tokenSegments(text, [...wordsOf(policy, prefix), ...words]).slice(prefix.length);
  return { text, tokens: words, tokenIds: tokens, logprobs, entropies, segments, finished };
}

function wordsOf({ tokenizer }: Policy, tokens: readonly number[]): string[] {
  return tokens.map((id) => tokenizer.decode([id]));
}
