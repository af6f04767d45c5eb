/**
 * Where a response stops: strings inside one token, across several, across the bytes of a character, and across two
 * checks.
 */
import { expect, it } from "vitest";
import { cutAfterStop, stopCheck } from "./stopStrings";

/** A small byte-level vocabulary: each id stands for some bytes. */
const PIECES = ["a", "</", "answer", ">", "\n", "</answer> ", "x</ans", "wer>y", [0xe2, 0x9c], [0x93], "stop"].map(
  (piece) => (typeof piece === "string" ? new TextEncoder().encode(piece) : Uint8Array.from(piece)),
);
const tokenizer = {
  decode: (ids: ArrayLike<number>): string =>
    new TextDecoder().decode(Uint8Array.from(Array.from(ids).flatMap((id) => [...(PIECES[id] ?? [])]))),
};

/** Checks 8 tokens at a time, as generate.ts does. → tokens of the response, or null */
function stopped(tokens: readonly number[], strings: readonly string[], every = 8): number | null {
  const check = stopCheck(tokenizer, strings);
  for (let from = 0; from < tokens.length; from += every) {
    const end = check(Int32Array.from(tokens.slice(0, from + every)), from);
    if (end !== null) return end;
  }
  return null;
}

const a = (count: number): number[] => new Array<number>(count).fill(0);

it.each<[string, number[], string[], number | null]>([
  ["inside one token", [0, 5, 0], ["</answer>"], 2],
  ["over three tokens", [0, 1, 2, 3, 0, 0], ["</answer>"], 4],
  ["over two tokens with more text in both", [0, 6, 7, 0], ["</answer>"], 3],
  ["not at all", [0, 1, 2, 0, 3], ["</answer>"], null],
  ["over the bytes of a character", [0, 8, 9, 0], ["✓"], 3],
  ["over a look", [...a(6), 1, 2, 3, 0], ["</answer>"], 9],
  ["long after the first look", [...a(70), 6, 7, 0], ["</answer>"], 72],
  ["at whichever comes first", [0, 10, 5], ["</answer>", "stop"], 2],
])("stops %s", (_, tokens, strings, length) => {
  expect(stopped(tokens, strings)).toBe(length);
  expect(stopped(tokens, strings, 1)).toBe(length);
});

it("refuses an empty string, and cuts a text behind the first stop string", () => {
  expect(() => stopCheck(tokenizer, ["x", ""])).toThrow(/empty/);
  expect(cutAfterStop("a</answer> and more</answer>", ["</answer>", "more"])).toBe("a</answer>");
  expect(cutAfterStop("a", ["</answer>"])).toBe("a");
});
