/**
 * The data exchanged with Python, and the table rows made from it. The measurement itself needs a checkpoint, and torch
 * for the peer.
 */
import { expect, test } from "vitest";
import { measurements } from "../benchmarks/fullSize";
import { failure, measureTransformers, PeerMissing, parseFigures } from "../peers/transformers/fullSize";
import { type FullSizeFigures, fullSizeWork, QUICK_SCALE } from "./work";

const WORK = fullSizeWork("folder", "tiny", QUICK_SCALE);
const FIGURES: FullSizeFigures = {
  engine: "transformers 5, bf16, a GPU",
  check: -6.2,
  peakBytes: 2e9,
  decode: [
    { batch: 8, first: [10, 12], all: [43, 45] },
    { batch: 32, first: [20], all: [75] },
  ],
  step: { rollout: [100, 300], update: [200, 400] },
};

test("prompts hold words only, and the same seed gives the same work", () => {
  expect(fullSizeWork("folder", "tiny", QUICK_SCALE)).toEqual(WORK);
  expect(WORK.prompts).toHaveLength(4);
  for (const prompt of WORK.prompts) {
    expect(prompt).toHaveLength(QUICK_SCALE.promptTokens);
    expect(Math.max(...prompt), "the largest id below the special tokens").toBeLessThan(498);
  }
});

test("figures are the last line of what was printed; others are refused by the key that is wrong", () => {
  expect(parseFigures(`a warning\n${JSON.stringify(FIGURES)}\n`)).toEqual(FIGURES);
  expect(() => parseFigures("Killed")).toThrow(/printed "Killed" instead of its figures/);
  expect(() => parseFigures(JSON.stringify({ ...FIGURES, step: { rollout: [], update: [1] } }))).toThrow(
    /step\.rollout/,
  );
  expect(() => parseFigures(JSON.stringify({ ...FIGURES, peakBytes: "much" }))).toThrow(/peakBytes/);
});

test("a step is what the tokens after the first took; ratios are over ours", () => {
  const theirs: FullSizeFigures = {
    ...FIGURES,
    peakBytes: null,
    decode: FIGURES.decode.map((row) => ({ ...row, all: row.all.map((time) => 2 * time) })),
  };
  const rows = measurements({ backend: "webgpu", fullSize: { shape: "tiny" } }, WORK, [
    ["ours", FIGURES],
    ["transformers", theirs],
  ]);
  expect(rows.map(({ contender, workload }) => `${contender}: ${workload}`)).toEqual([
    "ours: tiny, decoding 8 rows, a token each",
    "transformers: tiny, decoding 8 rows, a token each",
    "ours: tiny, decoding 32 rows, a token each",
    "transformers: tiny, decoding 32 rows, a token each",
    "ours: tiny, GRPO step of 16 responses of 16",
    "transformers: tiny, GRPO step of 16 responses of 16",
    "ours: tiny, update of that step",
    "transformers: tiny, update of that step",
  ]);
  expect(rows[0]?.milliseconds.median, "(44 − 11) / 11 tokens").toBeCloseTo(3);
  expect(rows[0]?.rate?.value).toBeCloseTo(8000 / 3);
  expect(rows[2]?.milliseconds.median).toBeCloseTo(5);
  expect(rows[3]?.ratio).toBeCloseTo(130 / 55);
  expect(rows[4]?.milliseconds.median).toBe(500);
  expect(rows[0]?.counts?.bytesHeld).toBe(2e9);
  expect(rows[1]?.counts).toBeUndefined();
});

test("a Python that is missing or lacks a module is reported with what to install", async () => {
  await expect(measureTransformers("no-such-python", WORK, () => undefined)).rejects.toThrow(
    /no-such-python cannot be started .*name a Python that has torch/,
  );
  const missing = failure("python3", 1, "Traceback\nModuleNotFoundError: No module named 'peft'\n");
  expect(missing).toBeInstanceOf(PeerMissing);
  expect(missing.message).toMatch(/python3 has no module peft: pip install torch/);
  expect(failure("python3", 1, "Traceback\n  File x\ntorch.OutOfMemoryError: CUDA out of memory\n").message).toMatch(
    /exit code 1: torch.OutOfMemoryError/,
  );
});
