/** xxHash32, against the values of the reference implementation (xxhsum, python-xxhash). */
import { expect, test } from "vitest";
import { checksum } from "./checksum";

test.each([
  ["", 0x02cc5d05],
  ["a", 0x550d7456],
  ["abc", 0x32d153ff],
  ["Nobody inspects the spammish repetition", 0xe2293b2f],
])("of %j", (text, hash) => {
  expect(checksum(new TextEncoder().encode(text))).toBe(hash);
});

test("one changed bit anywhere changes it", () => {
  const bytes = Uint8Array.from({ length: 61 }, (_, i) => 7 * i);
  const whole = checksum(bytes);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(checksum(damaged), `bit ${bit}`).not.toBe(whole);
  }
});
