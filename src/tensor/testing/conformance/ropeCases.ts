/** Conformance of rotary position embedding, forward and inverse. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { CaseBody } from "./compare";
import type { Probe } from "./probe";

/** cos and sin of random angles [rows, headDim/2]. */
export function angleTables(p: Probe, rows: number, headDim: number): readonly [cos: Tensor, sin: Tensor] {
  const angles = p.normal((rows * headDim) / 2, 3);
  return [p.floats(angles.map(Math.cos), [rows, headDim / 2]), p.floats(angles.map(Math.sin), [rows, headDim / 2])];
}

export function* ropeCases(): Generator<[string, CaseBody]> {
  for (const [rows, heads, headDim, width] of [
    [5, 3, 6, 18],
    [9, 2, 16, 48],
    [3, 4, 128, 1024],
    [1, 1, 2, 5],
  ] as const) {
    for (const inverse of [false, true]) {
      yield [
        `rope${inverse ? " inverse" : ""} on ${heads} heads of ${headDim} in [${rows}, ${width}]`,
        (p) => {
          const [cos, sin] = angleTables(p, rows, headDim);
          const x = p.random([rows, width]);
          p.kernels.rope(x, cos, sin, heads, headDim, inverse);
          p.compare("x", x, inverse ? "gradient" : "forward");
        },
      ];
    }
  }
}
