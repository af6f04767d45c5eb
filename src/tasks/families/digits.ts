/** Written arithmetic: two numbers one above the other, the sign before the second, a line, and what is asked. */
import { Canvas, CELL, type Colour, INK, PLACES } from "../draw";
import { infer, type TaskFamily } from "../family";
import type { Picture } from "../problem";

type Op = "+" | "-" | "*";
const OPS: readonly Op[] = ["+", "-", "*"];

/**
 * The sum stands in one of three columns and its numbers in two of four colours, so that sums recur in new pictures.
 */
function draw(first: number, op: Op, second: number, shift: number, colours: readonly [Colour, Colour]): Picture {
  const canvas = new Canvas();
  const column = (shift + 1) * CELL + 1;
  canvas.large(String(first), column, 1, colours[0]);
  canvas.large(op, shift * CELL + 1, CELL + 1, INK);
  canvas.large(String(second), column, CELL + 1, colours[1]);
  canvas.rect(shift * CELL + 1, 2 * CELL + 2, 2 * CELL - 2, 1, INK);
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
    const shift = random.integer(0, 2);
    const [c1 = 0, c2 = 1] = random.shuffle([0, 1, 2, 3]);
    return {
      facts: `${first} ${op} ${second} in column ${shift}, colours ${c1} ${c2}`,
      question: "value ?",
      readings: [
        { subject: "first", value: first },
        { subject: "second", value: second },
      ],
      inferences: [infer(first, op, second)],
      draw: () => draw(first, op, second, shift, [PLACES[c1] ?? INK, PLACES[c2] ?? INK]),
    };
  },
};
