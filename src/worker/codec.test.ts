/** What goes through a socket comes out as it went in; what did not come from us is refused with a reason. */
import { describe, expect, test } from "vitest";
import { CodecError, decodeMessage, encodeMessage } from "./codec";

const LIMIT = 2 ** 20;
const there = (message: unknown): unknown => decodeMessage(encodeMessage(message), LIMIT);
const raw = (json: string, ...parts: readonly (readonly number[])[]): Uint8Array => {
  const text = new TextEncoder().encode(json);
  const length = (n: number): number[] => [...new Uint8Array(Uint32Array.of(n).buffer)];
  return Uint8Array.from([
    ...new TextEncoder().encode("SRP1"),
    ...length(text.length),
    ...text,
    ...parts.flatMap((part) => [...length(part.length), ...part]),
  ]);
};

describe("there and back", () => {
  test.each<[string, unknown]>([
    ["plain data", { run: "r", type: "open", nested: [{ a: null }, true, "ä → €", 1.5, []] }],
    ["numbers that JSON lacks", { list: [Number.NaN, -0, Infinity], one: -Infinity }],
    [
      "short and long lists",
      {
        short: [1, 2, 3],
        bytes: Array.from({ length: 300 }, (_, i) => i % 256),
        ids: Array.from({ length: 20 }, (_, i) => i * 152_064),
        logprobs: Array.from({ length: 20 }, (_, i) => Math.fround(-i / 3)),
        doubles: Array.from({ length: 20 }, (_, i) => -i / 3),
      },
    ],
    [
      "a long list with numbers that JSON lacks",
      Array.from({ length: 20 }, (_, i) => (i === 3 ? -Infinity : i === 5 ? -0 : Number.NaN)),
    ],
    [
      "typed arrays and files",
      {
        picture: { width: 2, height: 1, pixels: Uint8Array.of(1, 2, 3, 4, 5, 6) },
        files: [{ path: "a", bytes: Uint8Array.of(7, 8, 9).buffer }],
        empty: new Float32Array(0),
        doubles: Float64Array.of(0.1),
        floats: Float32Array.of(0.1),
        ints: Int32Array.of(-1),
      },
    ],
    ["a view into a larger buffer", new Uint8Array(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2)],
    ["a list that is not all numbers", Array.from({ length: 20 }, (_, i) => (i === 7 ? null : i))],
  ])("%s", (_what, message) => {
    expect(there(message)).toStrictEqual(message);
  });

  test("an undefined field is left out, as JSON does", () => {
    expect(there({ a: 1, b: undefined })).toStrictEqual({ a: 1 });
  });

  test("a response's numbers cost four bytes each", () => {
    const logprobs = Array.from({ length: 1000 }, (_, i) => Math.fround(-i / 7));
    expect(encodeMessage({ logprobs }).length).toBeLessThan(4100);
  });

  test("what cannot be sent is refused before it is", () => {
    expect(() => encodeMessage({ when: new Date() })).toThrow(/a Date cannot be sent/);
    expect(() => encodeMessage({ $part: 1 })).toThrow(/key "\$part"/);
    expect(() => encodeMessage(new Int16Array(2))).toThrow(CodecError);
  });
});

/** More levels than the stack holds, in less than a command may have. */
const TOWER = "[".repeat(30_000) + "]".repeat(30_000);

describe("refused", () => {
  const good = encodeMessage({ run: "r", bytes: Uint8Array.of(1, 2, 3) });
  test.each<[string, Uint8Array, RegExp]>([
    ["above the limit", new Uint8Array(LIMIT + 1), /1048577 bytes, expected at most 1048576/],
    ["nothing", new Uint8Array(0), /0 bytes that do not start with "SRP1"/],
    ["something else", new TextEncoder().encode("GET / HTTP/1.1"), /do not start with "SRP1"/],
    ["cut within its JSON", good.subarray(0, 12), /truncated: the JSON ends at/],
    ["cut within a part", good.subarray(0, -1), /truncated: part 0 ends at/],
    ["stray bytes", Uint8Array.from([...good, 1]), /1 stray bytes/],
    ["no JSON", raw("{"), /invalid JSON: /],
    ["no UTF-8", Uint8Array.from([...new TextEncoder().encode("SRP1"), 1, 0, 0, 0, 255]), /invalid JSON: /],
    [
      "a part that is not there",
      raw('{"$part":[0,"u8"]}'),
      /invalid reference to part \[0,"u8"\]: unknown kind, missing/,
    ],
    [
      "a part of no known kind",
      raw('{"$part":[0,"constructor"]}', [1]),
      /invalid reference to part \[0,"constructor"\]: unknown kind/,
    ],
    ["a part taken twice", raw('[{"$part":[0,"u8"]},{"$part":[0,"u8"]}]', [1]), /used twice/],
    ["a part without a place", raw("1", [1]), /1 of 1 parts are not used/],
    ["half an element", raw('{"$part":[0,"f32"]}', [1, 2, 3]), /part 0 has 3 bytes, not a multiple of 4 \(f32\)/],
    ["a number that is none", raw('{"$number":"1e3"}'), /\$number "1e3"/],
    ["a tower in place of a part", raw(`{"$part":${TOWER}}`), /invalid reference to part \[object\]/],
    ["towers in place of a part's parts", raw(`{"$part":{"a":${TOWER}}}`), /invalid reference to part object/],
    ["a tower in place of a number", raw(`{"$number":${TOWER}}`), /\$number \[object\]: expected NaN/],
    ["a tower of brackets", raw("[".repeat(5000) + "]".repeat(5000)), /32 levels/],
  ])("%s", (_what, bytes, message) => {
    expect(() => decodeMessage(bytes, LIMIT)).toThrow(CodecError);
    expect(() => decodeMessage(bytes, LIMIT)).toThrow(message);
  });

  test("parts of a message that lies within Node's shared buffer are its own", () => {
    const message = { list: Array.from({ length: 9 }, (_, i) => i / 8), bytes: Uint8Array.of(1, 2, 3).buffer };
    const bytes = encodeMessage(message);
    const shared = Buffer.concat([Buffer.alloc(5, 7), bytes, Buffer.alloc(3, 9)]).subarray(5, 5 + bytes.length);
    expect(decodeMessage(shared, shared.length)).toEqual(message);
  });

  test("a key __proto__ is an ordinary key", () => {
    const message = decodeMessage(raw('{"__proto__":{"type":"step"}}'), LIMIT);
    expect(Object.getPrototypeOf(message)).toBe(Object.prototype);
    expect((message as { type?: string }).type).toBeUndefined();
  });

  test("any byte changed or dropped is read or refused, never anything else", () => {
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 48271) % 2147483647;
      return seed % below;
    };
    for (let round = 0; round < 2000; round++) {
      const bytes = Uint8Array.from(good);
      bytes[random(bytes.length)] = random(256);
      const cut = bytes.subarray(0, round % 3 === 0 ? random(bytes.length) : bytes.length);
      try {
        decodeMessage(cut, LIMIT);
      } catch (error) {
        expect(error).toBeInstanceOf(CodecError);
      }
    }
  });
});
