/**
 * Linear head + log-softmax at given targets without the [N, V] logits: blocks of rows × vocabulary are made
 * by the matrix product into one small scratch tensor and folded into per-row running sums (online
 * softmax, Milakov & Gimelshein 2018). The gradient makes the same blocks again and turns them in place into
 * dLogits = dLogprob · (1[target] − softmax) / T.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weight } from "../../kernels";
import type { KernelDispatcher } from "../dispatch";
import { type Operand, read, write } from "../kernelSpec";
import { expectShape, expectWeight, matrix } from "../shapes";
import type { TensorAllocator } from "../storage";
import { type LinearKernels, packed } from "./linear";
import { matmul } from "./matmul";
import { type RowWorkgroup, rowWorkgroup } from "./rowReduce";

/** Rows and vocabulary columns of the scratch block, 4 MiB at most; multiples of 64 keep parts of tensors bindable. */
const BLOCK_ROWS = 1024;
const BLOCK_COLUMNS = 1024;

/**
 * Running state of a row: largest logit m, Σ e^(l−m), Σ e^(l−m)·(l−m), the target's logit. The weighted sum
 * is kept relative to m so that the entropy log Σ − weighted/Σ loses no digits.
 */
const fold = ({ sum, max }: RowWorkgroup): string => `
${sum}
${max}
fn kernel(group: u32, lane: u32) {
  let row = params.firstRow + group;
  let start = group * params.columns;
  let known = row * 4u;
  var largest = -1e30;
  for (var c = lane; c < params.columns; c += THREADS) { largest = max(largest, logits[start + c] * params.inverseT); }
  let blockMax = rowMax(largest, lane);
  let oldMax = select(running[known], -1e30, params.isFirst == 1u);
  let m = max(blockMax, oldMax);
  var total = 0.0;
  var weighted = 0.0;
  for (var c = lane; c < params.columns; c += THREADS) {
    let shifted = logits[start + c] * params.inverseT - m;
    let e = exp(shifted);
    total += e;
    weighted += e * shifted;
  }
  total = rowSum(total, lane);
  weighted = rowSum(weighted, lane);
  if (lane == 0u) {
    let goal = targets[row];
    var picked = 0.0;
    if (params.isFirst == 0u) {
      let shrink = exp(oldMax - m);
      weighted += shrink * (running[known + 2u] + (oldMax - m) * running[known + 1u]);
      total += shrink * running[known + 1u];
      picked = running[known + 3u];
    }
    if (goal >= i32(params.firstColumn) && goal < i32(params.firstColumn + params.columns)) {
      picked = logits[start + u32(goal) - params.firstColumn] * params.inverseT;
    }
    running[known] = m;
    running[known + 1u] = total;
    running[known + 2u] = weighted;
    running[known + 3u] = picked;
    if (params.isLast == 1u) {
      let kept = goal >= 0;
      let rowLse = m + log(total);
      lse[row] = select(0.0, rowLse, kept);
      logprob[row] = select(0.0, picked - rowLse, kept);
      entropy[row] = select(0.0, log(total) - weighted / total, kept);
    }
  }
}`;

const GRAD = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let blockRow = item / params.columns;
  if (blockRow >= params.rows) { return; }
  let row = params.firstRow + blockRow;
  let goal = targets[row];
  let column = i32(params.firstColumn + item % params.columns);
  let p = exp(logits[item] * params.inverseT - lse[row]);
  let slope = select(0.0, 1.0, column == goal) - p;
  logits[item] = select(0.0, dLogprob[row] * slope * params.inverseT, goal >= 0);
}`;

interface Block {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstColumn: number;
  readonly columns: number;
}

export class TokenLogprobsKernels {
  private readonly row: RowWorkgroup;

  constructor(
    private readonly dispatcher: KernelDispatcher,
    private readonly storage: TensorAllocator,
    private readonly linear: LinearKernels,
  ) {
    this.row = rowWorkgroup(dispatcher.traits);
  }

  tokenLogprobs(
    hidden: Tensor,
    head: Weight,
    targets: Tensor,
    temperature: number,
  ): { logprob: Tensor; lse: Tensor; entropy: Tensor } {
    const rows = checkHead("tokenLogprobs", hidden, head, targets);
    const logprob = this.storage.allocate([rows], "float32");
    const lse = this.storage.allocate([rows], "float32");
    const entropy = this.storage.allocate([rows], "float32");
    const running = this.storage.allocate([rows, 4], "float32");
    const kernel = this.dispatcher.kernel("tokenLogprobs", () => ({
      buffers: [
        read("logits"),
        read("targets", "i32"),
        write("running"),
        write("logprob"),
        write("lse"),
        write("entropy"),
      ],
      params: { firstRow: "u32", firstColumn: "u32", columns: "u32", isFirst: "u32", isLast: "u32", inverseT: "f32" },
      threads: this.row.threads,
      oneSubgroup: this.row.oneSubgroup,
      code: fold(this.row),
    }));
    this.forBlocks(hidden, head, rows, (block, logits) => {
      const first = block.firstColumn === 0 ? 1 : 0;
      const last = block.firstColumn + block.columns === head.out ? 1 : 0;
      const params = [block.firstRow, block.firstColumn, block.columns, first, last, 1 / temperature];
      this.dispatcher.run(kernel, [logits, targets, running, logprob, lse, entropy], params, block.rows);
    });
    running.dispose();
    return { logprob, lse, entropy };
  }

  tokenLogprobsGrad(
    hidden: Tensor,
    head: Weight,
    targets: Tensor,
    lse: Tensor,
    dLogprob: Tensor,
    temperature: number,
    intoHead: Tensor | null,
  ): Tensor {
    const rows = checkHead("tokenLogprobsGrad", hidden, head, targets);
    expectShape("tokenLogprobsGrad", "lse", lse, [rows]);
    expectShape("tokenLogprobsGrad", "dLogprob", dLogprob, [rows]);
    if (intoHead) expectShape("tokenLogprobsGrad", "intoHead", intoHead, [head.out, head.in]);
    const width = head.in;
    const dHidden = this.storage.allocate([rows, width], "float32");
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel("tokenLogprobsGrad", () => ({
      buffers: [read("targets", "i32"), read("lse"), read("dLogprob"), write("logits")],
      params: { rows: "u32", columns: "u32", firstRow: "u32", firstColumn: "u32", inverseT: "f32" },
      threads,
      code: GRAD,
    }));
    this.forBlocks(hidden, head, rows, (block, logits) => {
      const { firstRow, firstColumn, columns } = block;
      const params = [block.rows, columns, firstRow, firstColumn, 1 / temperature];
      this.dispatcher.run(
        kernel,
        [targets, lse, dLogprob, logits],
        params,
        Math.ceil((block.rows * columns) / threads),
      );
      matmul(this.dispatcher, {
        orientation: "NN",
        m: block.rows,
        n: width,
        k: columns,
        a: logits,
        b: packed(head, firstColumn, columns),
        c: rowsOf(dHidden, firstRow, block.rows),
        accumulate: firstColumn > 0,
      });
      if (intoHead) {
        this.linear.addOuterProducts(
          rowsOf(hidden, firstRow, block.rows),
          logits,
          rowsOf(intoHead, firstColumn, columns),
          block.rows,
          width,
          columns,
        );
      }
    });
    return dHidden;
  }

  /** Logits (without the temperature) of every block, row blocks outside, from the start of one scratch tensor. */
  private forBlocks(hidden: Tensor, head: Weight, rows: number, use: (block: Block, logits: Tensor) => void): void {
    const logits = this.storage.allocate([Math.min(BLOCK_ROWS, rows), Math.min(BLOCK_COLUMNS, head.out)], "float32");
    for (let firstRow = 0; firstRow < rows; firstRow += BLOCK_ROWS) {
      const blockRows = Math.min(BLOCK_ROWS, rows - firstRow);
      for (let firstColumn = 0; firstColumn < head.out; firstColumn += BLOCK_COLUMNS) {
        const columns = Math.min(BLOCK_COLUMNS, head.out - firstColumn);
        matmul(this.dispatcher, {
          orientation: "NT",
          m: blockRows,
          n: columns,
          k: head.in,
          a: rowsOf(hidden, firstRow, blockRows),
          b: packed(head, firstColumn, columns),
          c: logits,
        });
        use({ firstRow, rows: blockRows, firstColumn, columns }, logits);
      }
    }
    logits.dispose();
  }
}

/** Rows of a matrix as an operand; `first` is a multiple of 64. */
function rowsOf(tensor: Tensor, first: number, rows: number): Operand {
  const [all, columns] = matrix("tokenLogprobs", "matrix", tensor);
  return first === 0 && rows === all ? tensor : { tensor, offset: first * columns, size: rows * columns };
}

function checkHead(kernel: string, hidden: Tensor, head: Weight, targets: Tensor): number {
  const [rows] = matrix(kernel, "hidden", hidden);
  expectShape(kernel, "hidden", hidden, [rows, head.in]);
  expectWeight(kernel, "head", head);
  expectShape(kernel, "targets", targets, [rows]);
  return rows;
}
