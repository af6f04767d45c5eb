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
   * The operand's rows run over k, so four neighbours are four places of the tile; otherwise four neighbours are four k
   * of one place.
   */
  readonly depthMajor: boolean;
  /** First place of the tile and number of places, in WGSL. */
  readonly origin: string;
  readonly extent: string;
  /** Where depth k and place p lie in the slab: k · depthStride + p · placeStride. */
  readonly depthStride: number;
  readonly placeStride: number;
  /** Lanes that share the work, in WGSL; by default THREADS. What the compiler does not know, it does not unroll. */
  readonly lanes?: string;
  /** What becomes of four values, in WGSL; by default they are kept. */
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
  placeStride,
  lanes = "THREADS",
  convert = (four) => four,
}: SlabCopy): string {
  const [places, from] = depthMajor
    ? [`let depth = i / (TILE / 4u); let place = (i % (TILE / 4u)) * 4u;`, `k0 + depth, ${origin} + place`]
    : [
        `let place = i / (SLAB / 4u); let depth = (i % (SLAB / 4u)) * 4u;`,
        `min(${origin} + place, ${extent} - 1u), k0 + depth`,
      ];
  const step = depthMajor ? placeStride : depthStride;
  return `
    for (var i = lane; i < SLAB * TILE / 4u; i += ${lanes}) {
      ${places}
      var v = ${type}();
      if (k0 + depth < params.k) { v = ${load}(${from}); }
      let four = ${convert("v")};
      let at = depth * ${depthStride}u + place * ${placeStride}u;
      ${["x", "y", "z", "w"].map((part, i) => `${slab}[at + ${i * step}u] = four.${part};`).join(" ")}
    }`;
}
