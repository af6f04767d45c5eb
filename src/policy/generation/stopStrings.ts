/**
 * Stop strings across token boundaries. A string may begin inside one token and end inside another, and the bytes of
 * one character may be split between two, so nothing is compared token by token: the end of the response is decoded and
 * searched. Decoding begins far enough before the new tokens to include any string that ends in them; if it begins
 * inside a character, that character lies before every possible match.
 */
import type { StopCheck } from "./generate";

export interface Decodes {
  decode(ids: ArrayLike<number>): string;
}

/** Tokens decoded before the first that can belong to a match: a decoder may treat the first ones differently. */
const MARGIN = 8;

/** @throws Error for an empty string, which would end every response before it began */
export function stopCheck(tokenizer: Decodes, strings: readonly string[]): StopCheck {
  if (strings.includes(""))
    throw new Error("A stop string is empty; leave it out, or say where responses are to stop.");
  // A token stands for at least one byte of text, so a string covers at most as many tokens as it has bytes.
  const reach = Math.max(0, ...strings.map((string) => new TextEncoder().encode(string).length));
  return (tokens, from) => {
    const start = Math.max(0, from - reach - MARGIN);
    // Nothing stopped the response before token `from`, so a match must end in one of the new tokens.
    const stopsBy = (end: number): boolean => {
      const text = tokenizer.decode(tokens.subarray(start, end));
      return strings.some((string) => text.includes(string));
    };
    if (!stopsBy(tokens.length)) return null;
    let end = from + 1;
    while (!stopsBy(end)) end++;
    return end;
  };
}

/** A response's text, cut after the first stop string in it. */
export function cutAfterStop(text: string, strings: readonly string[]): string {
  const ends = strings.flatMap((string) => {
    const start = text.indexOf(string);
    return start < 0 ? [] : [start + string.length];
  });
  return ends.length === 0 ? text : text.slice(0, Math.min(...ends));
}
