/** Written arithmetic: two numbers one above the other, the sign before the second, a line, and what is asked. */
import { Canvas, CELL, INK, PLACES } from "../draw";
import { infer, type TaskFamily } from "../family";
import type { Picture } from "../problem";

type Op = "+" | "-" | "*";
const OPS: readonly Op[] = ["+", "-", "*"];

function draw(first: number, op: Op, second: number): Picture {
  const canvas = new Canvas();
  const column = 2 * CELL + 1;
  canvas.large(String(first), column, 1, PLACES[0]);
  canvas.large(op, CELL + 1, CELL + 1, INK);
  canvas.large(String(second), column, CELL + 1, PLACES[1]);
  canvas.rect(CELL, 2 * CELL + 2, 2 * CELL, 1, INK);
  canvas.large("?", column, 2 * CELL + 6, INK);
  return canvas.picture();
}

export const digits: TaskFamily = {
  name: "digits",
  title: "Arithmetic in digits",
  sources: "as MATH",
  make(random) {
    const op = random.pick(OPS);
    const [low, high] = op === "*" ? [2, 6] : [0, 9];
    const first = random.integer(low, high);
    const second = random.integer(low, high);
    return {
      facts: `${first} ${op} ${second}`,
      question: "value ?",
      readings: [
        { subject: "first", value: first },
        { subject: "second", value: second },
      ],
      inferences: [infer(first, op, second)],
      draw: () => draw(first, op, second),
    };
  },
};
