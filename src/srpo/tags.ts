/** The tags of the response format as words: each is one token of the nano policy's vocabulary. */
export const RESPONSE_TAGS: readonly string[] = ["think", "answer", "reflection"].flatMap((name) => [
  `<${name}>`,
  `</${name}>`,
]);
