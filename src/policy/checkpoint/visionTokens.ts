/**
 * Vision tokens in responses. A prompt has them where its pictures are; in a response they are nobody's picture.
 * transformers counts every image token of a sequence against its pictures and raises ("Image features and image tokens
 * do not match"), so a step or an SFT run elsewhere would end there. They are never sampled (generate.ts), text that
 * spells one is encoded as text (promptEncoder.ts), and token ids from elsewhere are checked here.
 */
import type { PolicyConfig } from "./config";

/** A response that holds a vision token; the message names its id and place. */
export class VisionTokenError extends Error {
  override readonly name = "VisionTokenError";
}

/** What is wrong with a response that holds a vision token, as the end of a sentence; null: it holds none. */
export function visionTokenIn(
  { visionTokenIds }: Pick<PolicyConfig, "visionTokenIds">,
  tokens: ArrayLike<number>,
): string | null {
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? -1;
    if (visionTokenIds.includes(token))
      return (
        `token ${at + 1} of ${tokens.length} has id ${token}, which stands for a picture or video in a prompt; ` +
        "expected only tokens of text"
      );
  }
  return null;
}

/** @throws VisionTokenError */
export function refuseVisionTokens(
  config: Pick<PolicyConfig, "visionTokenIds">,
  tokens: ArrayLike<number>,
  what: string,
): void {
  const problem = visionTokenIn(config, tokens);
  if (problem !== null) throw new VisionTokenError(`${what}: ${problem}.`);
}
