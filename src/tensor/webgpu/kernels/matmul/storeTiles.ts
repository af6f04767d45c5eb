/**
 * WGSL that stores a lane's rows of four columns as 4 × 4 tiles (`storeTile` of MatmulCode); missing rows are zeros.
 */

/** @param row the vec4f of a row */
export function storeTiles(rows: number, row: (r: number) => string): string {
  return Array.from({ length: Math.ceil(rows / 4) }, (_, t) => {
    const four = [0, 1, 2, 3].map((r) => (4 * t + r < rows ? row(4 * t + r) : "vec4f(0.0)"));
    return `storeTile(m + ${4 * t}u, n, array<vec4f, 4>(${four.join(", ")}));`;
  }).join("\n      ");
}
