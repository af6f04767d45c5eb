/**
 * WGSL of attention over a cache (decoding) for adapters on which a workgroup is one subgroup (oneSubgroup.ts): a lane
 * has the row of one slot. What the rows see first, their prompts, they mostly share: it is walked through together,
 * each value loaded once and broadcast (attentionBlocks.ts). What they see second, their own tokens, each lane walks
 * through alone, all at once. Its keys are loaded in a loop to a run-time bound, as what is written out must be
 * compiled; its values are written out, as a loop would have to choose the sum of each part.
 */
import type { AttentionBlock } from "./attentionBlocks";
import { finishRow, SOFTMAX, startRow, weigh } from "./onlineSoftmax";
import { RowBlock, SEEN } from "./rowBlock";

/** Buffers q, kv, visible, out, lse. @param f16 keys and values are in f16 */
export function cacheBlock(headDim: number, lanes: number, f16: boolean): AttentionBlock {
  const block = new RowBlock(headDim, lanes, 1);
  return { rows: block.rows, code: () => code(block, f16) };
}

const code = (block: RowBlock, f16: boolean): string => `
${SEEN}
${SOFTMAX}
fn four(at: u32) -> vec4f { return ${f16 ? "vec4f(unpack2x16float(kv[at].x), unpack2x16float(kv[at].y))" : "kv[at]"}; }
fn kernel(group: u32, lane: u32) {
  ${block.place("params.heads", "params.keys")}
  let seen = select(vec4i(0), seenRanges(row0), inside0);
  ${startRow(block, 0)}
  ${block.walk(
    ["seen.xy"],
    `
      ${block.loadKeys((at) => `four(${at})`)}
      ${block.eachStep(
        (s) => `
      var score${s}_0 = 0.0;
      ${block.handRound("k", s, (_, i) => `score${s}_0 += dot(q0_${i}, part);`)}
      let sees${s}_0 = at + ${s} >= seen.x && at + ${s} < seen.y;`,
      )}
      ${weigh(block, 0, block.steps)}
      ${block.eachStep((s) => block.handRound("v", s, (_, i) => `sum0_${i} += p${s}_0 * part;`))}`,
  )}
  for (var own = seen.z; own < seen.w; own++) {
    let start = u32(own) * params.kvColumns + kvHead;
    var score0_0 = 0.0;
    for (var i = 0u; i < params.parts; i++) {
      ${block.ownPart("q0")}
      score0_0 += dot(part, four(start + params.kOffset + i));
    }
    let sees0_0 = true;
    ${weigh(block, 0, 1)}
    ${block.eachPart((i) => `sum0_${i} += p0_0 * four(start + params.vOffset + ${i}u);`)}
  }
  ${finishRow(block, 0)}
}`;
