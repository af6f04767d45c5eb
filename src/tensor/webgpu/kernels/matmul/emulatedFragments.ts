/**
 * Subgroup matrices in plain WGSL, for adapters without matrix units: lane r of a subgroup of M lanes holds row r of a
 * Sum; a Left or Right only remembers where in workgroup memory it lies, and is read when it is multiplied. It is slow
 * and only for tests: the tiling, staging, orders and edges of the subgroupMatrix variant run as they are; what is not
 * seen is the matrix instructions themselves.
 */
import type { FragmentDialect, FragmentShape } from "./fragments";

/** @param size lanes of a subgroup, and rows of a fragment */
export function emulatedFragments(size: number): FragmentDialect {
  return {
    name: `emulated ${size}`,
    enables: ["subgroups"],
    types: ({ M, N, K }: FragmentShape) => {
      if (M !== size || N % 4 !== 0)
        throw new Error(
          `Emulated fragments have as many rows as a subgroup has lanes (${size}) and a multiple of 4 columns, got ` +
            `${M} × ${N}.`,
        );
      const quads = Array.from({ length: N / 4 }, (_, q) => q);
      const weights = (q: number): string =>
        [0, 1, 2, 3].map((i) => `f32(slabB[b + ${4 * q + i}u * right.columnStep])`).join(", ");
      return `
struct Left { at: u32, rowStep: u32, columnStep: u32 }
struct Right { at: u32, rowStep: u32, columnStep: u32 }
struct Sum { ${quads.map((q) => `q${q}: vec4f`).join(", ")} }
fn multiplyAdd(left: Left, right: Right, sum: Sum, lane: u32) -> Sum {
  var made = sum;
  // K, as the compiler cannot know: it would unroll, and take a minute for it.
  let depth = min(${K}u, params.firstGroup + ${K}u);
  for (var k = 0u; k < depth; k++) {
    let a = f32(slabA[left.at + lane * left.rowStep + k * left.columnStep]);
    let b = right.at + k * right.rowStep;
    ${quads.map((q) => `made.q${q} += a * vec4f(${weights(q)});`).join("\n    ")}
  }
  return made;
}
fn storeSum(offset: u32, sum: Sum, stride: u32, lane: u32) {
  let at = offset + lane * stride;
  ${quads.flatMap((q) => [0, 1, 2, 3].map((i) => `sums[at + ${4 * q + i}u] = sum.q${q}[${i}u];`)).join(" ")}
}`;
    },
    load: (type, _array, offset, order, stride) =>
      `${type}(${offset}, ${order === "row" ? `${stride}u, 1u` : `1u, ${stride}u`})`,
    multiplyAdd: (left, right, sum) => `multiplyAdd(${left}, ${right}, ${sum}, subgroupLane)`,
    store: (_array, offset, sum, stride) => `storeSum(${offset}, ${sum}, ${stride}u, subgroupLane);`,
  };
}
