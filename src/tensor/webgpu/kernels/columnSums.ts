/**
 * Column sums in a fixed order, for the gradients of biases and norm weights and for sums of statistics:
 * into[d] (+)= Σ_n values[n, d] (· factors[n, d] · rowScale[n]). Rows are summed in blocks, then the blocks.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { read, write, type Dispatcher, type Operand } from "../dispatch";
import type { Storage } from "../storage";

const ROWS_PER_BLOCK = 64;

interface ColumnSums {
  readonly values: Tensor;
  readonly rows: number;
  readonly columns: number;
  readonly into: Tensor;
  /** Overwrite instead of accumulating. */
  readonly overwrite?: boolean;
  readonly scaled?: { readonly factors: Tensor; readonly rowScale: Tensor };
}

export function addColumnSums(dispatcher: Dispatcher, storage: Storage, sums: ColumnSums): void {
  const { values, rows, columns, into, scaled } = sums;
  const accumulate = sums.overwrite !== true;
  if (rows === 0 && accumulate) return;
  const blocks = Math.ceil(rows / ROWS_PER_BLOCK);
  if (blocks <= 1) {
    runColumnSums(dispatcher, { values, rows, columns, blocks: 1, into, accumulate, scaled });
    return;
  }
  const partial = storage.allocate([blocks, columns], "float32");
  runColumnSums(dispatcher, { values, rows, columns, blocks, into: partial, accumulate: false, scaled });
  addColumnSums(dispatcher, storage, { values: partial, rows: blocks, columns, into, overwrite: !accumulate });
  partial.dispose();
}

interface BlockSums extends Omit<ColumnSums, "overwrite"> {
  readonly blocks: number;
  readonly accumulate: boolean;
}

function runColumnSums(dispatcher: Dispatcher, { values, rows, columns, blocks, into, accumulate, scaled }: BlockSums): void {
  const threads = dispatcher.traits.elementThreads;
  const columnGroups = Math.ceil(columns / threads);
  const kernel = dispatcher.kernel(`columnSums${scaled ? " scaled" : ""}${accumulate ? " +" : ""}`, () => ({
    buffers: [read("values"), ...(scaled ? [read("factors"), read("rowScale")] : []), write("sums")],
    params: { rows: "u32", columns: "u32", columnGroups: "u32" },
    threads,
    code: `
fn kernel(group: u32, lane: u32) {
  let block = group / params.columnGroups;
  let column = (group % params.columnGroups) * THREADS + lane;
  if (column >= params.columns) { return; }
  let end = min(params.rows, (block + 1u) * ${ROWS_PER_BLOCK}u);
  var sum = 0.0;
  for (var row = block * ${ROWS_PER_BLOCK}u; row < end; row++) {
    let at = row * params.columns + column;
    sum += values[at]${scaled ? " * factors[at] * rowScale[row]" : ""};
  }
  let out = block * params.columns + column;
  sums[out] = ${accumulate ? "sums[out] + sum" : "sum"};
}`,
  }));
  const operands: Operand[] = [values, ...(scaled ? [scaled.factors, scaled.rowScale] : []), into];
  dispatcher.run(kernel, operands, [rows, columns, columnGroups], blocks * columnGroups);
}
