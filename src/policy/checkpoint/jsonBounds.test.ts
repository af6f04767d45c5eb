/** JSON that would fill the memory is refused before it is parsed, in the time of one pass. */
import { expect, test } from "vitest";
import { parseConfig } from "./config";
import { jsonRefusal } from "./jsonBounds";
import { parseHeader } from "./safetensors";

const bounds = { depth: 3, values: 12 };
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ['{"a": {"b": [1, 2]}}', null],
  ['{"a": {"b": [[1]]}}', "nested more than 3 levels deep at byte 13"],
  ["[1,2,3,4,5,6,7,8,9,10,11]", null],
  ["[1,2,3,4,5,6,7,8,9,10,11,12]", "more than 12 values within its first 24 bytes"],
  [`{"[[[[\\"[[[[": "],,,,,,,,,,,,,\\\\"}`, null],
  ["", null],
  // Not JSON: the parser says so.
  ["]]]}", null],
])("%s: %s", (json, refusal) => {
  expect(jsonRefusal(json, bounds)).toBe(refusal);
  expect(jsonRefusal(encode(json), bounds)).toBe(refusal);
});

/** Milliseconds that one pass over 98 MB takes with a wide margin, and bytes that parsing needs many times over. */
const [TIME, MEMORY] = [8000, 100e6];

test.each<[string, Uint8Array, RegExp]>([
  ["brackets", new Uint8Array(98e6).fill(0x5b), /model\.safetensors: the header .*nested more than \d+ levels/],
  [
    "empty lists",
    bomb('{"a":{"dtype":"F32","shape":[', "[],", "[]]}}"),
    /model\.safetensors: the header .*(nested|more than \d+ values)/,
  ],
  [
    "zeros",
    bomb('{"a":{"dtype":"F32","shape":[', "0,", "0]}}"),
    /model\.safetensors: the header .*more than \d+ values/,
  ],
])(
  "a safetensors header of 98 MB of %s is refused in bounded time and memory",
  { timeout: 30_000 },
  (_what, json, said) => {
    const before = process.memoryUsage();
    const began = performance.now();
    expect(() => parseHeader(json, 8 + json.length, "model.safetensors")).toThrow(said);
    expect(performance.now() - began).toBeLessThan(TIME);
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(MEMORY);
  },
);

test("a config.json of brackets is refused", () => {
  expect(() => parseConfig("[".repeat(1e6))).toThrow(/config\.json: .*nested more than \d+ levels/);
});

/** `begin`, then `body` until there are 98 MB, then `end`. */
function bomb(begin: string, body: string, end: string): Uint8Array {
  const bytes = new Uint8Array(98e6);
  const { written } = new TextEncoder().encodeInto(begin, bytes);
  const [piece, tail] = [encode(body), encode(end)];
  let at = written;
  while (at + piece.length + tail.length <= bytes.length) {
    bytes.set(piece, at);
    at += piece.length;
  }
  bytes.fill(0x20, at);
  bytes.set(tail, bytes.length - tail.length);
  return bytes;
}
