/**
 * Shared tiles with the weight held as halves in workgroup memory (half the memory and its traffic), and weights packed
 * as halves read as `f16` instead of being unpacked from words. Sums are f32, and so are activations and gradients:
 * their range is wider than that of halves (65504 down to 6e-8), and overflow would not show. So a weight packed as
 * halves gives what shared tiles give; f32 and int4 weights are rounded to 11 bits. Products without a weight (dyᵀ · x)
 * are left out.
 */
import { tiledMatmul, tileOf } from "./sharedTiles";
import type { MatmulVariant } from "./variant";

export const f16: MatmulVariant = {
  name: "f16",
  lacks: ({ features }) => (features.has("shader-f16") ? null : 'feature "shader-f16"'),
  rounds: ({ orientation, format }) => orientation !== "TN" && format !== "f16",
  plan(shape) {
    if (shape.orientation === "TN") return null;
    const tile = tileOf(shape);
    return {
      key: `halfTiles${tile}${shape.orientation}`,
      threads: (tile / 4) ** 2,
      rows: tile,
      columns: tile,
      enables: ["f16"],
      halfWeights: true,
      code: (parts) => tiledMatmul(parts, tile, "f16"),
    };
  },
};
