/**
 * Attention over row ranges with an online softmax (Milakov & Gimelshein 2018; recomputing backward as in
 * FlashAttention, Dao et al. 2022). Every sum has one owner and a fixed order: no atomics.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { cacheColumns, isF16Cache } from "../../cacheF16";
import type { AttentionShape, DynamicOptions } from "../../kernels";
import type { KernelDispatcher, Params } from "../dispatch";
import { type BufferSpec, read, write } from "../kernelSpec";
import { expectShape, matrix } from "../shapes";
import type { TensorAllocator } from "../storage";
import { type AttentionBlock, fitsBlocks, forwardBlock, keysBlock, queriesBlock } from "./attentionBlocks";
import { cacheBlock } from "./attentionCache";
import { backwardKeysCode, backwardQueriesCode, forwardCode, type HeadElement } from "./attentionCode";
import { lacksOneSubgroup } from "./oneSubgroup";

const PARAMS = {
  heads: "u32",
  kvHeads: "u32",
  parts: "u32",
  qColumns: "u32",
  kvColumns: "u32",
  qOffset: "u32",
  kOffset: "u32",
  vOffset: "u32",
  scale: "f32",
  cacheOffset: "i32",
  rows: "u32",
  keys: "u32",
} as const;

/** A pass: its code, and how many rows of a head one workgroup handles. */
type Pass = AttentionBlock;

/** How attention of one shape is done. */
interface Variant {
  readonly element: HeadElement;
  /** Names everything that the passes' code depends on. */
  readonly key: string;
  readonly threads: number;
  readonly oneSubgroup: boolean;
  readonly forward: (f16: boolean) => Pass;
  readonly queries: () => Pass;
  readonly keys: () => Pass;
}

export class AttentionKernels {
  constructor(
    private readonly dispatcher: KernelDispatcher,
    private readonly storage: TensorAllocator,
  ) {}

  attention(q: Tensor, kv: Tensor, visible: Tensor, shape: AttentionShape): { out: Tensor; lse: Tensor } {
    const [rows, qColumns] = matrix("attention", "q", q);
    const [keys] = matrix("attention", "kv", kv);
    const kvColumns = cacheColumns(kv);
    const f16 = isF16Cache(kv);
    checkHeads("attention", shape, qColumns, kvColumns);
    expectShape("attention", "visible", visible, [rows, 4]);
    const { heads, headDim } = shape;
    const out = this.storage.allocate([rows, heads * headDim], "float32");
    const lse = this.storage.allocate([rows, heads], "float32");
    const variant = this.variant(shape, qColumns, kvColumns, q.dataId === kv.dataId);
    const { element, key } = variant;
    if (f16 && element !== "vec4f")
      throw new Error(
        `attention: an f16 cache needs offsets and widths that are multiples of 4, got ${JSON.stringify(shape)}.`,
      );
    const buffers = [
      read("q", element),
      read("kv", f16 ? "vec2<u32>" : element),
      read("visible", "i32"),
      write("out", element),
      write("lse"),
    ];
    const params = this.params(shape, variant, [rows, qColumns], [keys, kvColumns]);
    this.run(
      `attention ${key}${f16 ? " f16" : ""}`,
      variant,
      variant.forward(f16),
      buffers,
      [q, kv, visible, out, lse],
      params,
      rows,
      heads,
      4 * rows * keys * heads * headDim,
    );
    return { out, lse };
  }

  attentionGrad(
    qkv: Tensor,
    visible: Tensor,
    seenBy: Tensor,
    out: Tensor,
    lse: Tensor,
    dOut: Tensor,
    shape: AttentionShape,
  ): Tensor {
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
    const norms = this.storage.allocate([rows, heads, 2], "float32");
    const variant = this.variant(shape, columns, columns, true);
    const { element, key } = variant;
    const params = this.params(shape, variant, [rows, columns], [rows, columns]);
    const work = 6 * rows * rows * heads * headDim;
    const queryBuffers = [
      read("qkv", element),
      read("visible", "i32"),
      read("out", element),
      read("lse"),
      read("dOut", element),
      write("dQkv", element),
      write("norms", "vec2f"),
    ];
    this.run(
      `attentionGrad q ${key}`,
      variant,
      variant.queries(),
      queryBuffers,
      [qkv, visible, out, lse, dOut, dQkv, norms],
      params,
      rows,
      heads,
      work,
    );
    const keyBuffers = [
      read("qkv", element),
      read("seenBy", "i32"),
      read("norms", "vec2f"),
      read("dOut", element),
      write("dQkv", element),
    ];
    this.run(
      `attentionGrad kv ${key}`,
      variant,
      variant.keys(),
      keyBuffers,
      [qkv, seenBy, norms, dOut, dQkv],
      params,
      rows,
      kvHeads,
      work,
    );
    norms.dispose();
    return dQkv;
  }

  private run(
    name: string,
    { threads, oneSubgroup }: Variant,
    pass: Pass,
    buffers: readonly BufferSpec[],
    operands: readonly Tensor[],
    params: Params,
    rows: number,
    heads: number,
    work: number,
  ): void {
    const kernel = this.dispatcher.kernel(name, () => ({
      buffers,
      params: PARAMS,
      threads,
      oneSubgroup,
      code: pass.code(),
    }));
    this.dispatcher.run(kernel, operands, params, Math.ceil(rows / pass.rows) * heads, work);
  }

  /** Rows and columns of the queries' matrix, then of that of keys and values. */
  private params(
    shape: AttentionShape,
    { element }: Variant,
    [rows, qColumns]: readonly [number, number],
    [keys, kvColumns]: readonly [number, number],
  ): Params {
    const { heads, kvHeads, headDim, qOffset, kOffset, vOffset, cacheOffset } = shape;
    const vector = element === "vec4f" ? 4 : 1;
    const layout = [headDim, qColumns, kvColumns, qOffset, kOffset, vOffset].map((columns) => columns / vector);
    return (dynamicOptions: DynamicOptions) => [
      heads,
      kvHeads,
      ...layout,
      1 / Math.sqrt(headDim),
      dynamicOptions.cacheOffset ?? cacheOffset ?? 0,
      rows,
      keys,
    ];
  }

  /**
   * Parts of a head are vec4 where every offset and stride allows it.
   * @param own keys and values lie in the queries' matrix: neighbours see nearly the same rows
   */
  private variant(
    { headDim, qOffset, kOffset, vOffset }: AttentionShape,
    qColumns: number,
    kvColumns: number,
    own: boolean,
  ): Variant {
    const {
      software,
      matmul: { adapter },
    } = this.dispatcher.traits;
    const aligned = [headDim, qOffset, kOffset, vOffset, qColumns, kvColumns].every((count) => count % 4 === 0);
    const element = aligned ? "vec4f" : "f32";
    if (aligned && fitsBlocks(headDim) && lacksOneSubgroup(adapter) === null) {
      const lanes = adapter.subgroupMinSize;
      return {
        element,
        key: `${own ? "blocks" : "cache blocks"} ${headDim}`,
        threads: lanes,
        oneSubgroup: true,
        forward: (f16) => (own ? forwardBlock(headDim, lanes) : cacheBlock(headDim, lanes, f16)),
        queries: () => queriesBlock(headDim, lanes),
        keys: () => keysBlock(headDim, lanes),
      };
    }
    // An invocation for each part, at least a subgroup.
    const threads = Math.max(software ? 8 : 32, 2 ** Math.ceil(Math.log2(aligned ? headDim / 4 : headDim)));
    if (threads > 256) throw new Error(`attention: heads of ${headDim} columns at unaligned offsets are too wide.`);
    const row = (code: () => string): Pass => ({ rows: 1, code });
    return {
      element,
      key: `${element} ${threads}`,
      threads,
      oneSubgroup: false,
      forward: (f16) => row(() => forwardCode(element, f16)),
      queries: () => row(() => backwardQueriesCode(element)),
      keys: () => row(() => backwardKeysCode(element)),
    };
  }
}

function checkHeads(kernel: string, shape: AttentionShape, qColumns: number, kvColumns: number): void {
  const { heads, kvHeads, headDim, qOffset, kOffset, vOffset } = shape;
  if (heads % kvHeads !== 0)
    throw new Error(`${kernel}: ${heads} heads are not a multiple of ${kvHeads} key/value heads.`);
  if (qOffset + heads * headDim > qColumns)
    throw new Error(`${kernel}: queries end at column ${qOffset + heads * headDim} of ${qColumns}.`);
  const end = Math.max(kOffset, vOffset) + kvHeads * headDim;
  if (end > kvColumns) throw new Error(`${kernel}: keys and values end at column ${end} of ${kvColumns}.`);
}
