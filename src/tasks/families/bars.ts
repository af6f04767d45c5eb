/** Bar charts of four bars with data labels, heights 0–9: add, subtract or compare two of them. */
import { Canvas, CELL, INK, LINE, PLACES, SIDE } from "../draw";
import { infer, type TaskFamily } from "../family";
import type { Inference, Picture } from "../problem";

const LABELS = ["A", "B", "C", "D"] as const;
const OPS: readonly Inference["op"][] = ["+", "-", "max", "min"];
/** Row of the horizontal axis; one unit of height is two rows. */
const AXIS = 24;

function draw(heights: readonly number[]): Picture {
  const canvas = new Canvas();
  for (const unit of [3, 6, 9]) canvas.rect(0, AXIS - 2 * unit, SIDE, 1, LINE);
  heights.forEach((height, i) => {
    const colour = PLACES[i] ?? INK;
    canvas.rect(i * CELL + 2, AXIS - 2 * height, 5, 2 * height, colour);
    canvas.small(String(height), i * CELL + 3, 0, colour);
    canvas.small(LABELS[i] ?? "?", i * CELL + 3, AXIS + 2, colour);
  });
  canvas.rect(0, AXIS, SIDE, 1, INK);
  canvas.rect(0, 6, 1, AXIS - 6, INK);
  return canvas.picture();
}

export const bars: TaskFamily = {
  name: "bars",
  title: "Bar charts",
  sources: "as ChartQA, DVQA",
  make(random) {
    const heights = LABELS.map(() => random.integer(0, 9));
    const [first = 0, second = 1] = random.shuffle([0, 1, 2, 3]);
    const op = random.pick(OPS);
    const readings = [first, second].map((i) => ({ subject: LABELS[i] ?? "", value: heights[i] ?? 0 }));
    return {
      facts: heights.join(" "),
      question: `${LABELS[first]} ${op} ${LABELS[second]} ?`,
      readings,
      inferences: [infer(heights[first] ?? 0, op, heights[second] ?? 0)],
      draw: () => draw(heights),
    };
  },
};
