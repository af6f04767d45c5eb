/** The order of cells by window, against the family's fixture and by hand. */
import { expect, it } from "vitest";
import { blockVisibility, permuteCells, windowLayout } from "./windows";

const shape = { mergeSize: 2, windowCells: 4 };

it("windows of a 12×20 grid have the published boundaries", () => {
  const layout = windowLayout([{ frames: 1, height: 12, width: 20 }], shape);
  expect(layout.windowStarts).toEqual([0, 64, 128, 160, 192, 224, 240]);
  expect(layout.frameStarts).toEqual([0, 240]);
  expect([...layout.cellAt.subarray(0, 6)]).toEqual([0, 1, 2, 3, 10, 11]);
});

it("each picture and each frame is ordered by itself", () => {
  const layout = windowLayout(
    [
      { frames: 2, height: 2, width: 10 },
      { frames: 1, height: 2, width: 2 },
    ],
    shape,
  );
  expect([...layout.cellAt]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(layout.windowStarts).toEqual([0, 16, 20, 36, 40, 44]);
  expect(layout.frameStarts).toEqual([0, 20, 40, 44]);
});

it("permuting cells and looking them up by place are inverse", () => {
  const layout = windowLayout([{ frames: 1, height: 12, width: 20 }], shape);
  const cells = Float32Array.from({ length: 60 * 2 }, (_, i) => i);
  const ordered = new Float32Array(cells.length);
  permuteCells(cells, layout.cellAt, 0, 2, ordered);
  layout.featureIndex.forEach((place, cell) =>
    expect([ordered[2 * place], ordered[2 * place + 1]]).toEqual([2 * cell, 2 * cell + 1]),
  );
});

it("pictures are permuted one by one", () => {
  const grids = [
    { frames: 1, height: 4, width: 12 },
    { frames: 1, height: 4, width: 20 },
  ];
  const both = windowLayout(grids, shape);
  const ordered = new Float32Array(both.cells);
  let first = 0;
  for (const grid of grids) {
    const cells = (grid.height * grid.width) / 4;
    permuteCells(
      Float32Array.from({ length: cells }, (_, i) => first + i),
      both.cellAt,
      first,
      1,
      ordered,
    );
    first += cells;
  }
  expect([...ordered]).toEqual([...both.cellAt]);
});

it("rows between two boundaries see each other and nothing else", () => {
  const { visible, seenBy } = blockVisibility([0, 2, 3]);
  expect([...visible]).toEqual([0, 2, 0, 0, 0, 2, 0, 0, 2, 3, 0, 0]);
  expect([...seenBy]).toEqual([0, 2, 0, 2, 2, 3]);
});
