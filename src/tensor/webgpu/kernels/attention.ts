/**
 * Attention over row ranges with an online softmax (Milakov & Gimelshein 2018; recomputing backward as in
 * FlashAttention, Dao et al. 2022). Every sum has one owner and a fixed order: no atomics.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { cacheColumns, holdsHalves } from "../../cacheHalves";
import type { AttentionShape, ChangingOptions } from "../../kernels";
import { read, write, type Dispatcher, type Params } from "../dispatch";
import { expectShape, matrix } from "../shapes";
import type { Storage } from "../storage";
import { backwardKeysCode, backwardQueriesCode, forwardCode, type HeadElement } from "./attentionCode";

const PARAMS = {
  heads: "u32", kvHeads: "u32", parts: "u32", qColumns: "u32", kvColumns: "u32",
  qOffset: "u32", kOffset: "u32", vOffset: "u32", scale: "f32", extend: "i32",
} as const;

interface HeadLayout {
  readonly element: HeadElement;
  readonly threads: number;
  readonly key: string;
  readonly params: Params;
}

export class AttentionKernels {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly storage: Storage,
  ) {}

  attention(q: Tensor, kv: Tensor, visible: Tensor, shape: AttentionShape): { out: Tensor; lse: Tensor } {
    const [rows, qColumns] = matrix("attention", "q", q);
    const [keys] = matrix("attention", "kv", kv);
    const kvColumns = cacheColumns(kv);
    const halves = holdsHalves(kv);
    checkHeads("attention", shape, qColumns, kvColumns);
    expectShape("attention", "visible", visible, [rows, 4]);
    const { heads, headDim } = shape;
    const out = this.storage.allocate([rows, heads * headDim], "float32");
    const lse = this.storage.allocate([rows, heads], "float32");
    const { element, threads, key, params } = this.layout(shape, qColumns, kvColumns);
    if (halves && element !== "vec4f") throw new Error(`attention: a cache in halves needs offsets and widths that are multiples of 4, got ${JSON.stringify(shape)}.`);
    const kernel = this.dispatcher.kernel(`attention ${key}${halves ? " f16" : ""}`, () => ({
      buffers: [read("q", element), read("kv", halves ? "vec2<u32>" : element), read("visible", "i32"), write("out", element), write("lse")],
      params: PARAMS,
      threads,
      code: forwardCode(element, halves),
    }));
    this.dispatcher.run(kernel, [q, kv, visible, out, lse], params, rows * heads, 4 * rows * keys * heads * headDim);
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
    const { element, threads, key, params } = this.layout(shape, columns, columns);
    const work = 6 * rows * rows * heads * headDim;
    const queries = this.dispatcher.kernel(`attentionGrad q ${key}`, () => ({
      buffers: [read("qkv", element), read("visible", "i32"), read("out", element), read("lse"), read("dOut", element), write("dQkv", element), write("delta")],
      params: PARAMS,
      threads,
      code: backwardQueriesCode(element),
    }));
    this.dispatcher.run(queries, [qkv, visible, out, lse, dOut, dQkv, delta], params, rows * heads, work);
    const keys = this.dispatcher.kernel(`attentionGrad kv ${key}`, () => ({
      buffers: [read("qkv", element), read("seenBy", "i32"), read("lse"), read("delta"), read("dOut", element), write("dQkv", element)],
      params: PARAMS,
      threads,
      code: backwardKeysCode(element),
    }));
    this.dispatcher.run(keys, [qkv, seenBy, lse, delta, dOut, dQkv], params, rows * kvHeads, work);
    delta.dispose();
    return dQkv;
  }

  /** Parts of a head are vec4 where every offset and stride allows it; an invocation for each, at least a subgroup. */
  private layout(shape: AttentionShape, qColumns: number, kvColumns: number): HeadLayout {
    const { heads, kvHeads, headDim, qOffset, kOffset, vOffset, extend } = shape;
    const aligned = [headDim, qOffset, kOffset, vOffset, qColumns, kvColumns].every((count) => count % 4 === 0);
    const vector = aligned ? 4 : 1;
    const parts = headDim / vector;
    const least = this.dispatcher.traits.software ? 8 : 32;
    const threads = Math.max(least, 2 ** Math.ceil(Math.log2(parts)));
    if (threads > 256) throw new Error(`attention: heads of ${headDim} columns at unaligned offsets are too wide.`);
    const element = aligned ? "vec4f" : "f32";
    const params = [heads, kvHeads, parts, qColumns, kvColumns, qOffset, kOffset, vOffset].map((value, i) => (i < 3 ? value : value / vector));
    return { element, threads, key: `${element} ${threads}`, params: (changing: ChangingOptions) => [...params, 1 / Math.sqrt(headDim), changing.extend ?? extend ?? 0] };
  }
}

function checkHeads(kernel: string, shape: AttentionShape, qColumns: number, kvColumns: number): void {
  const { heads, kvHeads, headDim, qOffset, kOffset, vOffset } = shape;
  if (heads % kvHeads !== 0) throw new Error(`${kernel}: ${heads} heads are no multiple of ${kvHeads} key/value heads.`);
  if (qOffset + heads * headDim > qColumns) throw new Error(`${kernel}: queries end at column ${qOffset + heads * headDim} of ${qColumns}.`);
  const end = Math.max(kOffset, vOffset) + kvHeads * headDim;
  if (end > kvColumns) throw new Error(`${kernel}: keys and values end at column ${end} of ${kvColumns}.`);
}
