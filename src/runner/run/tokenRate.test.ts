import { expect, it } from "vitest";
import { TokenRate } from "./tokenRate";

it("says tokens a second since it was made", () => {
  let now = 5000;
  const rate = new TokenRate(() => now);
  now += 4000;
  expect([rate.note(2), rate.note(1540)]).toEqual(["0.5 tokens/s", "385 tokens/s"]);
  expect(rate.summary(12_345)).toBe("sampled 12,345 tokens in 4.0 s: 3,086 tokens/s\n");
});
