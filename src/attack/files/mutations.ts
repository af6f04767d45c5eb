/** Ways to damage a file, chosen by a seed. Each returns the new bytes; null means a folder in the file's place. */
import type { Dice } from "../random";

export interface Mutation {
  readonly name: string;
  /** For which files: those of JSON (one value, or a line each), or all. */
  readonly of: "json" | "all";
  apply(bytes: Uint8Array, dice: Dice, other: Uint8Array): Uint8Array | null;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Levels of a value that is nested too deeply, and bytes of a bomb. */
const DEEP = 100_000;
const BOMB = 20_000_000;

/** Values that a key may get in place of its own. */
const VALUES: readonly string[] = [
  "1e400",
  "-1",
  "0",
  "1.5",
  "9007199254740993",
  "1000000000000",
  "4294967296",
  '""',
  '"\\u0000"',
  '"../../../etc/passwd"',
  "null",
  "true",
  "[]",
  "{}",
  '["x", 1, null]',
  '{"__proto__": {"x": 1}}',
  `"${"A".repeat(100_000)}"`,
  `${"[".repeat(DEEP)}${"]".repeat(DEEP)}`,
];

function flipped(bytes: Uint8Array, dice: Dice, end: number): Uint8Array {
  const out = Uint8Array.from(bytes);
  for (let i = dice.whole(1, 9); i > 0 && end > 0; i--) {
    const at = dice.whole(0, end);
    out[at] = (out[at] ?? 0) ^ (1 << dice.whole(0, 8));
  }
  return out;
}

/** Byte ranges of the values behind the keys of JSON text. */
function valuesIn(text: string): [number, number][] {
  return [
    ...text.matchAll(/"(?:[^"\\]|\\.)*"\s*:\s*("(?:[^"\\]|\\.)*"|-?[\d.eE+-]+|true|false|null|\[[^[\]{}]*\])/g),
  ].map((match) => {
    const end = match.index + match[0].length;
    return [end - (match[1] ?? "").length, end];
  });
}

/** The text with one of its values, and how JSON's own parts are replaced; unchanged without any. */
function replaced(bytes: Uint8Array, dice: Dice, by: string): Uint8Array {
  const text = decode(bytes);
  const values = valuesIn(text);
  if (values.length === 0) return encode(by);
  const [from, to] = dice.pick(values);
  return encode(text.slice(0, from) + by + text.slice(to));
}

/** Safetensors and snapshots: a length in the first bytes, then JSON; the length is mended to fit. */
function inHeader(bytes: Uint8Array, change: (json: Uint8Array) => Uint8Array): Uint8Array {
  const isSnapshot = decode(bytes.subarray(0, 8)) === "SRPOSNP2";
  const [at, start] = isSnapshot ? [12, 16] : [0, 8];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < start) return bytes;
  const end = start + view.getUint32(at, true);
  if (end > bytes.length || bytes[start] !== 0x7b) return change(bytes);
  const header = change(bytes.subarray(start, end));
  const out = new Uint8Array(start + header.length + bytes.length - end);
  out.set(bytes.subarray(0, start));
  out.set(header, start);
  out.set(bytes.subarray(end), start + header.length);
  new DataView(out.buffer).setUint32(at, header.length, true);
  return out;
}

export const MUTATIONS: readonly Mutation[] = [
  { name: "cut short", of: "all", apply: (bytes, dice) => bytes.subarray(0, dice.whole(0, bytes.length)) },
  { name: "bits flipped", of: "all", apply: (bytes, dice) => flipped(bytes, dice, bytes.length) },
  {
    name: "bits flipped at the beginning",
    of: "all",
    apply: (bytes, dice) => flipped(bytes, dice, Math.min(600, bytes.length)),
  },
  { name: "empty", of: "all", apply: () => new Uint8Array(0) },
  { name: "a folder", of: "all", apply: () => null },
  { name: "another file's bytes", of: "all", apply: (_bytes, _dice, other) => other },
  { name: "zeros", of: "all", apply: (bytes) => new Uint8Array(bytes.length) },
  {
    name: "random bytes",
    of: "all",
    apply: (bytes, dice) => Uint8Array.from({ length: Math.min(bytes.length, 5000) }, () => dice.whole(0, 256)),
  },
  {
    name: "twice as long",
    of: "all",
    apply: (bytes) => {
      const out = new Uint8Array(2 * bytes.length);
      out.set(bytes);
      out.set(bytes, bytes.length);
      return out;
    },
  },
  { name: "a header of brackets", of: "all", apply: (bytes) => inHeader(bytes, () => new Uint8Array(BOMB).fill(0x5b)) },
  {
    name: "a header of empty lists",
    of: "all",
    apply: (bytes) => inHeader(bytes, () => encode(`{"a": [${"[],".repeat(BOMB / 4)}[]]}`)),
  },
  {
    name: "another value in the header",
    of: "all",
    apply: (bytes, dice) => inHeader(bytes, (json) => replaced(json, dice, dice.pick(VALUES))),
  },
  { name: "another value", of: "json", apply: (bytes, dice) => replaced(bytes, dice, dice.pick(VALUES)) },
  { name: "another value again", of: "json", apply: (bytes, dice) => replaced(bytes, dice, dice.pick(VALUES)) },
  {
    name: "another key",
    of: "json",
    apply: (bytes, dice) => {
      const text = decode(bytes);
      const keys = [...text.matchAll(/"[\w.]+"(?=\s*:)/g)];
      if (keys.length === 0) return encode(`{"x": 1}`);
      const { index, 0: key } = dice.pick(keys);
      const other = dice.pick(['"__proto__"', '"constructor"', '"x"', '""']);
      return encode(text.slice(0, index) + other + text.slice(index + key.length));
    },
  },
  { name: "with a byte order mark", of: "json", apply: (bytes) => encode(`\ufeff${decode(bytes)}`) },
];
