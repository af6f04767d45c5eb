import { expect, test } from "vitest";
import { openReferenceBackend } from "./reference/backend";
import { conformanceCases, relativeError } from "./testing/conformance/conformance";

const backend = await openReferenceBackend();
const reference = await openReferenceBackend();

test("case names are distinct", () => {
  const names = conformanceCases().map((c) => c.name);
  expect(new Set(names).size).toBe(names.length);
});

for (const c of conformanceCases()) {
  test(`reference against itself: ${c.name}`, async () => {
    const report = await c.run(backend, reference);
    expect(report.failures).toEqual([]);
    expect(report.errors.every((e) => e.error === 0)).toBe(true); // the same inputs give the same bits
  });
}

test("an error is relative to the largest value, and a lost infinity is infinite", () => {
  expect(relativeError([1, 10.1], [1, 10])).toBeCloseTo(0.01);
  expect(relativeError([1, NaN], [1, 10])).toBe(Infinity);
  expect(relativeError([NaN], [NaN])).toBe(0);
  expect(relativeError([1], [1, 2])).toBe(Infinity);
});
