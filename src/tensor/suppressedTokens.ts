/** The check of `SampleOptions.suppressTokens` that every backend makes. */

/** A kernel takes each as a parameter. */
export const MAX_SUPPRESSED_TOKENS = 8;

/**
 * The suppressed tokens within the vocabulary.
 * @throws Error where there are too many, one twice, or no token is left to draw
 */
export function suppressedIn(vocabulary: number, tokens: readonly number[]): readonly number[] {
  const within = tokens.filter((token) => token < vocabulary);
  if (tokens.length > MAX_SUPPRESSED_TOKENS)
    throw new Error(`sample: at most ${MAX_SUPPRESSED_TOKENS} suppressed tokens, got ${tokens.length}.`);
  if (new Set(tokens).size < tokens.length)
    throw new Error(`sample: the suppressed tokens [${tokens.join(", ")}] repeat one; expected distinct ids.`);
  if (within.length >= vocabulary)
    throw new Error(`sample: every one of the ${vocabulary} tokens is suppressed, so that none can be drawn.`);
  return within;
}
