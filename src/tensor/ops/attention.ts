/** Rotary positions and attention over a fused q|k|v matrix. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { AttentionShape } from "../kernels";
import type { Tape } from "../tape";

/** cos and sin [N, headDim/2] of every row's rotation angles. */
export interface RopeTables {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Which rows see which (kernels.ts): visible [N, 4], seenBy [N, 2], int32. */
export interface Visibility {
  readonly visible: Tensor;
  readonly seenBy: Tensor;
}

/** The usual layout: `heads` query heads, then `kvHeads` key heads, then as many value heads. */
export function fusedShape(heads: number, kvHeads: number, headDim: number): AttentionShape {
  return { heads, kvHeads, headDim, qOffset: 0, kOffset: heads * headDim, vOffset: (heads + kvHeads) * headDim };
}

/**
 * Rotates queries and keys of qkv [N, (heads + 2·kvHeads)·headDim] in place. Its gradient is the inverse rotation, in
 * place too.
 */
export function rope(tape: Tape, qkv: Tensor, tables: RopeTables, shape: AttentionShape): void {
  const { kernels } = tape.backend;
  const heads = shape.heads + shape.kvHeads;
  kernels.rope(qkv, tables.cos, tables.sin, heads, shape.headDim, false);
  if (!tape.needsGradient(qkv)) return;
  tape.record(qkv, () => {
    const d = tape.takeGradient(qkv);
    if (d === null) return;
    kernels.rope(d, tables.cos, tables.sin, heads, shape.headDim, true);
    tape.giveGradient(qkv, d);
  });
}

/** Self-attention of a packed batch: qkv → [N, heads·headDim]. */
export function attention(tape: Tape, qkv: Tensor, rows: Visibility, shape: AttentionShape): Tensor {
  const { kernels } = tape.backend;
  const { out, lse } = kernels.attention(qkv, qkv, rows.visible, shape);
  tape.own(out);
  tape.own(lse);
  if (tape.needsGradient(qkv)) {
    tape.record(out, () => {
      const dOut = tape.takeGradient(out);
      if (dOut === null) return;
      tape.giveGradient(qkv, kernels.attentionGrad(qkv, rows.visible, rows.seenBy, out, lse, dOut, shape));
      tape.disposeTensor(dOut);
    });
  }
  tape.release(lse);
  return out;
}
