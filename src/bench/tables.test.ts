import { expect, test } from "vitest";
import { bytes, figure, table, times } from "./tables";

test("three significant digits", () => {
  expect([0, 7, 0.01234, 4.567, 45.67, 456.7, 12_345.6, 0.0000123].map(figure)).toEqual([
    "0",
    "7",
    "0.0123",
    "4.57",
    "45.7",
    "457",
    "12,346",
    "1.2e-5",
  ]);
  expect([
    figure(null),
    figure(Number.NaN),
    times(undefined),
    times(11.53),
    bytes(88_012),
    bytes(512),
    bytes(3.1e6),
  ]).toEqual(["–", "–", "–", "11.5×", "88.0 kB", "512 B", "3.10 MB"]);
});

test("a Markdown table, words at the left and numbers at the right", () => {
  expect(
    table(
      [
        { title: "who", text: ({ who }) => who, align: "left" },
        { title: "ms", text: ({ ms }) => figure(ms) },
      ],
      [
        { who: "ours", ms: 5 },
        { who: "a peer", ms: 1234 },
      ],
    ),
  ).toBe(["| who    |    ms |", "| ------ | ----: |", "| ours   |     5 |", "| a peer | 1,234 |"].join("\n"));
});
