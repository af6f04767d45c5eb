/**
 * Pictographs: four rows of coloured shapes, one to four in a row. Count two kinds that share colour or shape, and add
 * or compare.
 */
import { Canvas, CELL, type Colour, LINE, SIDE } from "../draw";
import { infer, type TaskFamily } from "../family";
import type { Picture } from "../problem";

const COLOURS = ["red", "blue", "yellow"] as const;
const SHAPES = ["circles", "squares", "triangles"] as const;
type ColourName = (typeof COLOURS)[number];
type ShapeName = (typeof SHAPES)[number];
interface Kind {
  readonly colour: ColourName;
  readonly shape: ShapeName;
}

const PAINT: Readonly<Record<ColourName, Colour>> = { red: [220, 38, 62], blue: [37, 99, 235], yellow: [245, 180, 10] };
const KINDS: readonly Kind[] = COLOURS.flatMap((colour) => SHAPES.map((shape) => ({ colour, shape })));
/** Tints of the columns, as a scale under the pictograph: how far a row reaches is how many it counts. */
const COLUMNS: readonly Colour[] = [
  [255, 255, 255],
  [226, 232, 243],
  [198, 209, 231],
  [170, 186, 219],
];
/** Rows of the pictograph, and the most shapes in one. */
const ROWS = 4;
const MOST = 4;

interface Row {
  readonly kind: Kind;
  readonly count: number;
}

function drawShape(canvas: Canvas, { colour, shape }: Kind, x: number, y: number): void {
  const paint = PAINT[colour];
  if (shape === "circles") canvas.disc(x, y, 7, paint);
  else if (shape === "squares") canvas.rect(x, y, 7, 7, paint);
  else canvas.pyramid(x, y, 7, paint);
}

function draw(rows: readonly Row[]): Picture {
  const canvas = new Canvas();
  COLUMNS.forEach((tint, column) => canvas.rect(column * CELL, 0, CELL, SIDE, tint));
  for (const at of [7, 15, 23]) canvas.rect(0, at, SIDE, 1, LINE);
  rows.forEach(({ kind, count }, row) => {
    for (let column = 0; column < count; column++) drawShape(canvas, kind, column * CELL, row * CELL);
  });
  return canvas.picture();
}

export const shapes: TaskFamily = {
  name: "shapes",
  title: "Counting shapes",
  sources: "as ScienceQA, AI2D",
  make(random) {
    const [c1 = "red", c2 = "blue"] = random.shuffle(COLOURS);
    const [s1 = "circles", s2 = "squares"] = random.shuffle(SHAPES);
    const byColour = random.chance(0.5);
    const compare = random.chance(0.5);
    const asked: readonly [Kind, Kind] = [
      { colour: c1, shape: s1 },
      byColour ? { colour: c2, shape: s1 } : { colour: c1, shape: s2 },
    ];
    let counts: readonly [number, number] = [random.integer(1, MOST), random.integer(1, MOST)];
    if (compare && counts[0] < counts[1]) counts = [counts[1], counts[0]];

    const same = (kind: Kind, other: Kind): boolean => kind.colour === other.colour && kind.shape === other.shape;
    const others = random.shuffle(KINDS.filter((kind) => !asked.some((one) => same(one, kind))));
    const rows = random.shuffle<Row>([
      { kind: asked[0], count: counts[0] },
      { kind: asked[1], count: counts[1] },
      ...others.slice(0, ROWS - 2).map((kind) => ({ kind, count: random.integer(1, MOST) })),
    ]);

    const more = compare ? "more " : "";
    const joint = compare ? "than" : "and";
    const pair = byColour ? `${c1} ${joint} ${c2} ${s1}` : `${c1} ${s1} ${joint} ${s2}`;
    return {
      facts: rows.map(({ kind, count }) => `${count} ${kind.colour} ${kind.shape}`).join("/"),
      question: `how many ${more}${pair} ?`,
      readings: asked.map((kind, i) => ({ subject: `${kind.colour} ${kind.shape}`, value: counts[i] ?? 0 })),
      inferences: [infer(counts[0], compare ? "-" : "+", counts[1])],
      draw: () => draw(rows),
    };
  },
};
