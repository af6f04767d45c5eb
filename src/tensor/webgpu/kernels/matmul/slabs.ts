/**
 * WGSL that copies a slab of an operand, SLAB k deep and TILE wide, into workgroup memory. Past the end of k: zeros.
 */

export interface SlabCopy {
  /** A workgroup array. */
  readonly slab: string;
  /** Function that reads four neighbours of the operand, and what it gives. */
  readonly load: string;
  readonly type: "vec4f" | "vec4h";
  /**
   * The operand's rows run over k, so four neighbours lie side by side in the tile; otherwise four neighbours are four
   * k at one index of the tile.
   */
  readonly depthMajor: boolean;
  /** First row or column of the tile and how many the operand has, in WGSL. */
  readonly origin: string;
  readonly extent: string;
  /** Depth k at index i of the tile lies at k · depthStride + i · tileStride in the slab. */
  readonly depthStride: number;
  readonly tileStride: number;
  /** Lanes that share the work, in WGSL; by default THREADS. What the compiler does not know, it does not unroll. */
  readonly lanes?: string;
  /** Applied to four values, in WGSL; by default they are unchanged. */
  readonly convert?: (four: string) => string;
}

/** In a loop over `k0`. */
export function copySlab({
  slab,
  load,
  type,
  depthMajor,
  origin,
  extent,
  depthStride,
  tileStride,
  lanes = "THREADS",
  convert = (four) => four,
}: SlabCopy): string {
  const [indices, from] = depthMajor
    ? [`let depth = i / (TILE / 4u); let index = (i % (TILE / 4u)) * 4u;`, `k0 + depth, ${origin} + index`]
    : [
        `let index = i / (SLAB / 4u); let depth = (i % (SLAB / 4u)) * 4u;`,
        `min(${origin} + index, ${extent} - 1u), k0 + depth`,
      ];
  const step = depthMajor ? tileStride : depthStride;
  return `
    for (var i = lane; i < SLAB * TILE / 4u; i += ${lanes}) {
      ${indices}
      var v = ${type}();
      if (k0 + depth < params.k) { v = ${load}(${from}); }
      let four = ${convert("v")};
      let at = depth * ${depthStride}u + index * ${tileStride}u;
      ${["x", "y", "z", "w"].map((part, i) => `${slab}[at + ${i * step}u] = four.${part};`).join(" ")}
    }`;
}
