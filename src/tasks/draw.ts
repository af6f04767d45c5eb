/**
 * A tiny rasteriser into plain RGB bytes: rectangles, discs, triangles, lines and glyphs, no anti-aliasing,
 * so that a picture shown enlarged stays crisp. Coordinates are pixels, the origin top left, x right, y down;
 * what falls outside the picture is cut off.
 */
import { LARGE_GLYPHS, SMALL_GLYPHS } from "./glyphs";
import type { Picture } from "./problem";

export type Colour = readonly [red: number, green: number, blue: number];

/** Pixels a side of every picture: 4 × 4 cells, one image token a cell. */
export const SIDE = 32;
/** Pixels a side of one cell: two 4-px patches each way, merged into one image token. */
export const CELL = 8;

export const WHITE: Colour = [255, 255, 255];
export const INK: Colour = [38, 43, 56];
export const LINE: Colour = [223, 227, 234];

/** The four colours of things to read; charts take them in order, figures and sums any two of them. */
export const PLACES: readonly [Colour, Colour, Colour, Colour] = [
  [37, 99, 235],
  [234, 124, 12],
  [13, 148, 116],
  [147, 64, 214],
];

export class Canvas {
  readonly pixels = new Uint8Array(SIDE * SIDE * 3).fill(255);

  point(x: number, y: number, colour: Colour): void {
    if (x < 0 || y < 0 || x >= SIDE || y >= SIDE) return;
    this.pixels.set(colour, (y * SIDE + x) * 3);
  }

  /** Filled rectangle with its top left corner at (x, y). */
  rect(x: number, y: number, width: number, height: number, colour: Colour): void {
    for (let j = y; j < y + height; j++) for (let i = x; i < x + width; i++) this.point(i, j, colour);
  }

  /** Outline one pixel thick of the rectangle whose top left corner is (x, y). */
  frame(x: number, y: number, width: number, height: number, colour: Colour): void {
    this.rect(x, y, width, 1, colour);
    this.rect(x, y + height - 1, width, 1, colour);
    this.rect(x, y, 1, height, colour);
    this.rect(x + width - 1, y, 1, height, colour);
  }

  /** Filled disc inside the square of the given side whose top left corner is (x, y). */
  disc(x: number, y: number, side: number, colour: Colour): void {
    const centre = (side - 1) / 2;
    const reach = (side / 2) ** 2;
    for (let j = 0; j < side; j++) {
      for (let i = 0; i < side; i++) {
        if ((i - centre) ** 2 + (j - centre) ** 2 <= reach) this.point(x + i, y + j, colour);
      }
    }
  }

  /** Filled isosceles triangle standing on its base, inside the square of the given odd side at (x, y). */
  pyramid(x: number, y: number, side: number, colour: Colour): void {
    for (let j = 0; j < side; j++) {
      const half = Math.round(((side - 1) / 2) * (j / (side - 1)));
      this.rect(x + (side - 1) / 2 - half, y + j, 2 * half + 1, 1, colour);
    }
  }

  /** Straight line one pixel thick between two points, both drawn (Bresenham, 1965). */
  line(x0: number, y0: number, x1: number, y1: number, colour: Colour): void {
    const dx = Math.abs(x1 - x0);
    const dy = -Math.abs(y1 - y0);
    const stepX = x0 < x1 ? 1 : -1;
    const stepY = y0 < y1 ? 1 : -1;
    let error = dx + dy;
    let x = x0;
    let y = y0;
    for (;;) {
      this.point(x, y, colour);
      if (x === x1 && y === y1) return;
      const twice = 2 * error;
      if (twice >= dy) {
        error += dy;
        x += stepX;
      }
      if (twice <= dx) {
        error += dx;
        y += stepY;
      }
    }
  }

  /** Text of 3 × 5 glyphs, 4 px a glyph, its top left corner at (x, y). */
  small(text: string, x: number, y: number, colour: Colour): void {
    [...text].forEach((character, i) => this.glyph(SMALL_GLYPHS, character, x + 4 * i, y, colour));
  }

  /** One 5 × 7 glyph, its top left corner at (x, y). */
  large(character: string, x: number, y: number, colour: Colour): void {
    this.glyph(LARGE_GLYPHS, character, x, y, colour);
  }

  picture(): Picture {
    return { width: SIDE, height: SIDE, pixels: this.pixels };
  }

  private glyph(
    font: ReadonlyMap<string, readonly string[]>,
    character: string,
    x: number,
    y: number,
    colour: Colour,
  ): void {
    const rows = font.get(character);
    if (rows === undefined)
      throw new Error(`Canvas: no glyph for "${character}"; the font holds ${[...font.keys()].join(" ")}`);
    rows.forEach((row, j) => {
      for (let i = 0; i < row.length; i++) if (row[i] === "#") this.point(x + i, y + j, colour);
    });
  }
}
