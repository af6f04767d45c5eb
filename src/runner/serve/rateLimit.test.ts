/** A burst at once, then a steady rate; what is refused costs nothing. */
import { expect, test, vi } from "vitest";
import { limitedLog } from "./limitedLog";
import { RateLimit } from "./rateLimit";

test("a burst, then so many units a second", () => {
  let now = 0;
  const limit = new RateLimit(10, 2, () => now);
  expect(limit.take(10)).toBe(true);
  expect(limit.take()).toBe(false);
  now = 1500;
  expect(limit.take(4)).toBe(false);
  expect(limit.take(3)).toBe(true);
  expect(limit.take()).toBe(false);
  now = 1e9;
  expect(limit.take(11)).toBe(false);
  expect(limit.take(10)).toBe(true);
});

test("a log that is flooded gets some lines, and later the number of the others", ({ onTestFinished }) => {
  vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const lines: string[] = [];
  const log = limitedLog((line) => lines.push(line));
  for (let i = 0; i < 1000; i++) log("refused");
  expect(lines).toHaveLength(20);
  vi.advanceTimersByTime(6000);
  expect(lines.slice(20)).toEqual(["980 more lines like these in the last 5 s were left out"]);
  log("another");
  expect(lines.at(-1)).toBe("another");
});
