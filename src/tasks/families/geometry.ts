/**
 * Plane figures with labels: the third angle of a triangle, the perimeter of a rectangle. Labels stand in
 * fixed cells; the figure follows the numbers (the triangle leans as its angles say, its height is capped).
 */
import { Canvas, CELL, type Colour, INK, PLACES } from "../draw";
import { infer, type ProblemParts, type TaskFamily } from "../family";
import type { Picture } from "../problem";
import type { Random } from "../random";

/** The triangle's base: its ends and its row. */
const LEFT = 3;
const RIGHT = 28;
const BASE = 22;

/** Cotangents of the angles that occur, as a table: Math.tan may differ between engines in the last place. */
const COTANGENT: ReadonlyMap<number, number> = new Map([
  [20, 2.747],
  [30, 1.732],
  [40, 1.192],
  [50, 0.839],
  [60, 0.577],
  [70, 0.364],
  [80, 0.176],
  [90, 0],
]);

type ColourPair = readonly [Colour, Colour];

/** Two of the four colours: the same numbers come up in twelve pictures. */
function pickColours(random: Random): { readonly names: string; readonly colours: ColourPair } {
  const [first = 0, second = 1] = random.shuffle([0, 1, 2, 3]);
  return { names: `colours ${first} ${second}`, colours: [PLACES[first] ?? INK, PLACES[second] ?? INK] };
}

function cotangent(degrees: number): number {
  const value = COTANGENT.get(degrees);
  if (value === undefined)
    throw new Error(
      `geometry: no triangle is drawn with an angle of ${degrees}; expected a multiple of 10 from 20 to 90`,
    );
  return value;
}

function drawTriangle(left: number, right: number, colours: ColourPair): Picture {
  const canvas = new Canvas();
  const lean = cotangent(left);
  const sum = lean + cotangent(right);
  const apexX = Math.round(LEFT + (RIGHT - LEFT) * (lean / sum));
  const apexY = BASE - Math.min(14, Math.max(9, Math.round((RIGHT - LEFT) / sum)));
  canvas.line(LEFT, BASE, apexX, apexY, INK);
  canvas.line(RIGHT, BASE, apexX, apexY, INK);
  canvas.line(LEFT, BASE, RIGHT, BASE, INK);
  canvas.small("?", Math.min(28, Math.max(1, apexX - 1)), apexY - 7, INK);
  canvas.rect(LEFT - 1, BASE - 1, 3, 3, colours[0]);
  canvas.rect(RIGHT - 1, BASE - 1, 3, 3, colours[1]);
  canvas.small(String(left), 1, 26, colours[0]);
  canvas.small(String(right), 24, 26, colours[1]);
  return canvas.picture();
}

function angle(random: Random): ProblemParts {
  let left = 90;
  let right = 90;
  while (left + right > 160) {
    left = 10 * random.integer(2, 9);
    right = 10 * random.integer(2, 9);
  }
  const { names, colours } = pickColours(random);
  return {
    facts: `angles ${left} ${right}, ${names}`,
    question: "third angle ?",
    readings: [
      { subject: "left", value: left },
      { subject: "right", value: right },
    ],
    inferences: [infer(left, "+", right), infer(180, "-", left + right)],
    draw: () => drawTriangle(left, right, colours),
  };
}

function drawRectangle(width: number, height: number, colours: ColourPair): Picture {
  const canvas = new Canvas();
  const halfWidth = Math.round(0.7 * width + 4);
  const halfHeight = Math.round(0.7 * height + 4);
  const x = 12 - halfWidth;
  const y = 12 - halfHeight;
  canvas.frame(x, y, 2 * halfWidth, 2 * halfHeight, INK);
  canvas.rect(x, y + 2 * halfHeight - 1, 2 * halfWidth, 1, colours[0]);
  canvas.rect(x + 2 * halfWidth - 1, y, 1, 2 * halfHeight, colours[1]);
  canvas.large(String(width), CELL + 1, 3 * CELL, colours[0]);
  canvas.large(String(height), 3 * CELL + 1, CELL, colours[1]);
  return canvas.picture();
}

function perimeter(random: Random): ProblemParts {
  const width = random.integer(2, 9);
  const height = random.integer(2, 9);
  const { names, colours } = pickColours(random);
  return {
    facts: `rectangle ${width} ${height}, ${names}`,
    question: "perimeter ?",
    readings: [
      { subject: "width", value: width },
      { subject: "height", value: height },
    ],
    inferences: [infer(width, "+", height), infer(2, "*", width + height)],
    draw: () => drawRectangle(width, height, colours),
  };
}

export const geometry: TaskFamily = {
  name: "geometry",
  title: "Angles and sides",
  sources: "as Geometric Math QA",
  make: (random) => (random.chance(0.5) ? angle(random) : perimeter(random)),
};
