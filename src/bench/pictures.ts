/**
 * A contact sheet of the picture problems: one row per family, each picture enlarged without smoothing.
 * Usage: npx tsx src/bench/pictures.ts FILE.png [pictures per row, 8] [enlargement, 6]
 */
import { writeFileSync } from "node:fs";
import { PNG } from "pngjs";
import { DEFAULT_CORPUS } from "../tasks/corpus";
import { SIDE } from "../tasks/draw";
import { FAMILY_NAMES } from "../tasks/problem";
import { makeProblem } from "../tasks/problems";
import { Random } from "../tasks/random";
import { noisySolution, writeSolution } from "../tasks/solution";

const GAP = 12;

function sheet(columns: number, scale: number): PNG {
  const step = SIDE * scale + GAP;
  const png = new PNG({ width: columns * step + GAP, height: FAMILY_NAMES.length * step + GAP });
  png.data.fill(200);
  FAMILY_NAMES.forEach((family, row) => {
    for (let column = 0; column < columns; column++) {
      const problem = makeProblem(family, "train", column);
      const noisy = noisySolution(problem, DEFAULT_CORPUS.noise[family], new Random(column));
      console.log(
        `${problem.id.padEnd(20)} ${problem.question}  ->  ` +
          `${problem.answer}\n${" ".repeat(21)}${writeSolution(noisy, column % 2 ? "redundant" : "concise")}`,
      );
      for (let y = 0; y < SIDE * scale; y++) {
        for (let x = 0; x < SIDE * scale; x++) {
          const from = (Math.floor(y / scale) * SIDE + Math.floor(x / scale)) * 3;
          const to = ((GAP + row * step + y) * png.width + GAP + column * step + x) * 4;
          png.data.set([...problem.picture.pixels.subarray(from, from + 3), 255], to);
        }
      }
    }
  });
  return png;
}

const [file, columns = "8", scale = "6"] = process.argv.slice(2);
if (file === undefined || !(Number(columns) > 0) || !(Number(scale) > 0)) {
  console.error("usage: npx tsx src/bench/pictures.ts FILE.png [pictures a row] [enlargement]");
  process.exit(2);
}
writeFileSync(file, PNG.sync.write(sheet(Number(columns), Number(scale))));
