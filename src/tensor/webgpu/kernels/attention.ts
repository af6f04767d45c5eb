/**
 * Attention over row ranges with an online softmax (Milakov & Gimelshein 2018; FlashAttention's recomputing
 * backward, Dao et al. 2022). One invocation holds one (query, head); in the backward pass one (query, head)
 * for dQ and one (key, kvHead) for dK and dV, so that every sum has one owner and a fixed order.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { AttentionShape } from "../../kernels";
import { read, write, type Dispatcher } from "../dispatch";
import { expectShape, matrix } from "../shapes";
import type { Storage } from "../storage";
import { backwardKeysCode, backwardQueriesCode, forwardCode, type HeadLayout } from "./attentionCode";

const SHAPE_PARAMS = { rows: "u32", heads: "u32", kvHeads: "u32", qColumns: "u32", kvColumns: "u32", qOffset: "u32", kOffset: "u32", vOffset: "u32", scale: "f32", extend: "i32" } as const;

export class AttentionKernels {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly storage: Storage,
  ) {}

  attention(q: Tensor, kv: Tensor, visible: Tensor, shape: AttentionShape): { out: Tensor; lse: Tensor } {
    const [rows, qColumns] = matrix("attention", "q", q);
    const [keys, kvColumns] = matrix("attention", "kv", kv);
    checkHeads("attention", shape, qColumns, kvColumns);
    expectShape("attention", "visible", visible, [rows, 4]);
    const { heads, headDim } = shape;
    const out = this.storage.allocate([rows, heads * headDim], "float32");
    const lse = this.storage.allocate([rows, heads], "float32");
    const layout = headLayout(shape, qColumns, kvColumns);
    const threads = this.threads();
    const kernel = this.dispatcher.kernel(`attention ${layout.key}`, () => ({
      buffers: [read("q", layout.element), read("kv", layout.element), read("visible", "i32"), write("out", layout.element), write("lse")],
      params: SHAPE_PARAMS,
      threads,
      code: forwardCode(layout),
    }));
    const work = 4 * rows * keys * heads * headDim;
    this.dispatcher.run(kernel, [q, kv, visible, out, lse], shapeParams(rows, qColumns, kvColumns, shape, layout), Math.ceil((rows * heads) / threads), work);
    return { out, lse };
  }

  attentionGrad(qkv: Tensor, visible: Tensor, seenBy: Tensor, out: Tensor, lse: Tensor, dOut: Tensor, shape: AttentionShape): Tensor {
    const { heads, kvHeads, headDim } = shape;
    const [rows, columns] = matrix("attentionGrad", "qkv", qkv);
    expectShape("attentionGrad", "qkv", qkv, [rows, (heads + 2 * kvHeads) * headDim]);
    expectShape("attentionGrad", "visible", visible, [rows, 4]);
    expectShape("attentionGrad", "seenBy", seenBy, [rows, 2]);
    expectShape("attentionGrad", "out", out, [rows, heads * headDim]);
    expectShape("attentionGrad", "lse", lse, [rows, heads]);
    expectShape("attentionGrad", "dOut", dOut, [rows, heads * headDim]);
    checkHeads("attentionGrad", shape, columns, columns);
    const dQkv = this.storage.allocate([rows, columns], "float32");
    const delta = this.storage.allocate([rows, heads], "float32");
    const layout = headLayout(shape, columns, columns);
    const { element } = layout;
    const threads = this.threads();
    const params = shapeParams(rows, columns, columns, shape, layout);
    const work = 6 * rows * rows * heads * headDim;
    const queries = this.dispatcher.kernel(`attentionGrad q ${layout.key}`, () => ({
      buffers: [read("qkv", element), read("visible", "i32"), read("out", element), read("lse"), read("dOut", element), write("dQkv", element), write("delta")],
      params: SHAPE_PARAMS,
      threads,
      code: backwardQueriesCode(layout),
    }));
    this.dispatcher.run(queries, [qkv, visible, out, lse, dOut, dQkv, delta], params, Math.ceil((rows * heads) / threads), work);
    const keys = this.dispatcher.kernel(`attentionGrad kv ${layout.key}`, () => ({
      buffers: [read("qkv", element), read("seenBy", "i32"), read("lse"), read("delta"), read("dOut", element), write("dQkv", element)],
      params: SHAPE_PARAMS,
      threads,
      code: backwardKeysCode(layout),
    }));
    this.dispatcher.run(keys, [qkv, seenBy, lse, delta, dOut, dQkv], params, Math.ceil((rows * kvHeads) / threads), work);
    delta.dispose();
    return dQkv;
  }

  /** Few: the loops are long and a small batch must still fill the device. */
  private threads(): number {
    return Math.min(64, this.dispatcher.traits.elementThreads);
  }
}

/** Heads are read as vec4 where every offset and stride allows it. */
function headLayout(shape: AttentionShape, qColumns: number, kvColumns: number): HeadLayout {
  const { headDim, qOffset, kOffset, vOffset } = shape;
  const aligned = [headDim, qOffset, kOffset, vOffset, qColumns, kvColumns].every((count) => count % 4 === 0);
  const vector = aligned ? 4 : 1;
  return { key: `${headDim}${aligned ? "x4" : ""}`, headDim, vector, element: aligned ? "vec4f" : "f32" };
}

/** Columns and offsets in units of the layout's vector. */
function shapeParams(rows: number, qColumns: number, kvColumns: number, shape: AttentionShape, { vector }: HeadLayout): number[] {
  const { heads, kvHeads, headDim, qOffset, kOffset, vOffset, extend } = shape;
  return [rows, heads, kvHeads, qColumns / vector, kvColumns / vector, qOffset / vector, kOffset / vector, vOffset / vector, 1 / Math.sqrt(headDim), extend ?? 0];
}

function checkHeads(kernel: string, shape: AttentionShape, qColumns: number, kvColumns: number): void {
  const { heads, kvHeads, headDim, qOffset, kOffset, vOffset } = shape;
  if (heads % kvHeads !== 0) throw new Error(`${kernel}: ${heads} heads are no multiple of ${kvHeads} key/value heads.`);
  if (qOffset + heads * headDim > qColumns) throw new Error(`${kernel}: queries end at column ${qOffset + heads * headDim} of ${qColumns}.`);
  const end = Math.max(kOffset, vOffset) + kvHeads * headDim;
  if (end > kvColumns) throw new Error(`${kernel}: keys and values end at column ${end} of ${kvColumns}.`);
}
