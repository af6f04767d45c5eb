/** Coloured shapes on a grid of 4 × 4 cells: count two kinds that share colour or shape, and add or compare. */
import { Canvas, CELL, LINE, SIDE, type Colour } from "../draw";
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
const CELLS = 16;
/** Most of one asked kind. */
const MOST = 5;

function draw(cells: readonly (Kind | null)[]): Picture {
  const canvas = new Canvas();
  for (const at of [7, 15, 23]) {
    canvas.rect(at, 0, 1, SIDE, LINE);
    canvas.rect(0, at, SIDE, 1, LINE);
  }
  cells.forEach((kind, i) => {
    if (kind === null) return;
    const x = (i % 4) * CELL;
    const y = Math.floor(i / 4) * CELL;
    const colour = PAINT[kind.colour];
    if (kind.shape === "circles") canvas.disc(x, y, 7, colour);
    else if (kind.shape === "squares") canvas.rect(x, y, 7, 7, colour);
    else canvas.pyramid(x, y, 7, colour);
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
    let counts: readonly [number, number] = [random.integer(0, MOST), random.integer(0, MOST)];
    if (compare && counts[0] < counts[1]) counts = [counts[1], counts[0]];

    const same = (kind: Kind, other: Kind): boolean => kind.colour === other.colour && kind.shape === other.shape;
    const others = KINDS.filter((kind) => !asked.some((one) => same(one, kind)));
    const filled: Kind[] = [...Array<Kind>(counts[0]).fill(asked[0]), ...Array<Kind>(counts[1]).fill(asked[1])];
    const distractors = random.integer(1, Math.min(3, CELLS - filled.length));
    for (let i = 0; i < distractors; i++) filled.push(random.pick(others));
    const empty = Array<null>(CELLS - filled.length).fill(null);
    const cells = random.shuffle<Kind | null>([...filled, ...empty]);

    const more = compare ? "more " : "";
    const joint = compare ? "than" : "and";
    const pair = byColour ? `${c1} ${joint} ${c2} ${s1}` : `${c1} ${s1} ${joint} ${s2}`;
    return {
      facts: cells.map((kind) => (kind === null ? "-" : `${kind.colour} ${kind.shape}`)).join("/"),
      question: `how many ${more}${pair} ?`,
      readings: asked.map((kind, i) => ({ subject: `${kind.colour} ${kind.shape}`, value: counts[i] ?? 0 })),
      inferences: [infer(counts[0], compare ? "-" : "+", counts[1])],
      draw: () => draw(cells),
    };
  },
};
