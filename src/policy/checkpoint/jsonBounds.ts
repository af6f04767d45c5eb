/**
 * Bounds on JSON from outside, checked before it is parsed: JSON.parse turns three bytes into an object of forty, so a
 * header of brackets that fits into the memory need not fit once parsed. One pass over the bytes, without allocating.
 */

export interface JsonBounds {
  /** Levels of lists and objects inside each other. */
  readonly depth: number;
  /** Values in all: members of lists and objects, lists and objects themselves. */
  readonly values: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Why the JSON is not parsed; null when it is within the bounds. Whether it is valid JSON is left to the parser. */
export function jsonRefusal(json: Uint8Array | string, { depth, values }: JsonBounds): string | null {
  const at = typeof json === "string" ? (i: number): number => json.charCodeAt(i) : (i: number): number => json[i] ?? 0;
  let level = 0;
  let count = 1;
  let quoted = false;
  for (let i = 0; i < json.length; i++) {
    const byte = at(i);
    if (quoted) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === COMMA) count++;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      count++;
      if (++level > depth) return `nested more than ${depth} levels deep at byte ${i}`;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) level--;
    if (count > values) return `more than ${values} values within its first ${i} bytes`;
  }
  return null;
}
