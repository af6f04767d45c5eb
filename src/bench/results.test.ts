import { expect, test } from "vitest";
import { section } from "./report";
import { type Measurement, parseReport, type Report } from "./results";

const spread = { median: 12.5, q1: 12, q3: 13, repetitions: 5 };
const measurements: Measurement[] = [
  {
    benchmark: "train-step",
    backend: "webgpu",
    workload: "tiny",
    contender: "ours",
    milliseconds: spread,
    ratio: 1,
    counts: { dispatches: 72, readbacks: 1 },
    hostMicrosecondsPerDispatch: 9.5,
  },
  {
    benchmark: "train-step",
    backend: "webgpu",
    workload: "tiny",
    contender: "tfjs",
    milliseconds: { ...spread, median: 50 },
    ratio: 4,
    counts: { dispatches: 609 },
  },
];
const report: Report = {
  version: 1,
  date: "2026-01-01T00:00:00.000Z",
  quick: true,
  machine: { cpu: "any", cores: 2, platform: "linux", node: "20.0.0", adapters: { ours: "lavapipe (CPU)" } },
  measurements,
  absent: [],
};

test("a report survives being written and read", () => {
  expect(parseReport(JSON.stringify(report), "run.json")).toEqual(report);
});

test.each([
  ["{", /^run\.json: not valid JSON/],
  [JSON.stringify({ ...report, version: 2 }), /^run\.json: version: /],
  [
    JSON.stringify({ ...report, measurements: [{ ...measurements[0], benchmark: "sleep" }] }),
    /^run\.json: measurements\.0\.benchmark: /,
  ],
])("%j is refused", (text, message) => {
  expect(() => parseReport(text, "run.json")).toThrow(message);
});

test("the table shows what was measured, and who is absent", () => {
  const absent = [
    { benchmark: "train-step", backend: "webgpu", workload: "all", contender: "jax-js", why: "it did\nnot start" },
  ] as const;
  expect(section("train-step", "webgpu", "lavapipe (CPU)", measurements, absent, [])).toBe(
    [
      "## train-step on webgpu (lavapipe (CPU))",
      "",
      "| workload | contender | ms (quartiles) | time / ours | dispatches | read-backs | host µs / dispatch |",
      "| -------- | --------- | -------------: | ----------: | ---------: | ---------: | -----------------: |",
      "| tiny     | ours      |   12.5 (12–13) |          1× |         72 |          1 |               9.50 |",
      "| tiny     | tfjs      |     50 (12–13) |          4× |        609 |          – |                  – |",
      "",
      "jax-js is absent (all): it did not start",
      "",
    ].join("\n"),
  );
});
