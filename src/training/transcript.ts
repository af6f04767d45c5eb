/** Converts token ids to the text in records and scorers. */

import { cutAfterStop } from "../policy/generation/stopStrings";
import type { CheckpointFiles, Policy } from "../policy/policy";
import { PolicyTokenizer } from "../policy/processor/tokenizer";
import { tokenSegments } from "../srpo/format";
import type { CountTokens } from "../srpo/score";
import { problemRecord } from "./dataCursor";
import type { GroupRecord, SampleRecord } from "./records";
import type { SampledRow } from "./state";
import type { TrainingProblem } from "./trainingProblem";

/**
 * The response as text: its end token left out, cut behind the stop string that ended it (its last token may go on past
 * it).
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

export function groupRecord(
  policy: Policy,
  problem: TrainingProblem,
  rows: readonly SampledRow[],
  stopStrings: readonly string[],
): GroupRecord {
  return { problem: problemRecord(problem), samples: rows.map((row) => sampleRecord(policy, row, stopStrings)) };
}

function sampleRecord(
  policy: Policy,
  { tokens, logprobs, entropies, finished }: SampledRow,
  stopStrings: readonly string[],
): SampleRecord {
  const text = textOf(policy, tokens, stopStrings);
  const words = tokens.map((id) => policy.tokenizer.decode([id]));
  return { text, tokens: words, tokenIds: tokens, logprobs, entropies, segments: tokenSegments(text, words), finished };
}
