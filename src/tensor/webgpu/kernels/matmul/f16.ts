/**
 * Shared tiles with the weight held in f16 in workgroup memory (half the memory and its traffic). A weight packed as
 * f16 is read as it is; f32 and int4 weights are rounded to 11 bits. Sums, activations and gradients stay f32: their
 * range is wider than that of f16 (65504 down to 6e-8), and overflow would not show. An f16 weight therefore gives what
 * shared tiles give. Products without a weight (dyᵀ · x) are left to the plain variant.
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
      key: `f16Tiles${tile}${shape.orientation}`,
      threads: (tile / 4) ** 2,
      rows: tile,
      columns: tile,
      enables: ["f16"],
      f16Weights: true,
      code: (parts) => tiledMatmul(parts, tile, "f16"),
    };
  },
};
