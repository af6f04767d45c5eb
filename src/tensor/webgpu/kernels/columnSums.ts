/**
 * Column sums in a fixed order, for the gradients of biases and norm weights and for sums of statistics:
 * into[d] (+)= Σ_n values[n, d] (· factors[n, d] · rowScale[n]). Rows are summed in blocks, then the blocks.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { KernelDispatcher } from "../dispatch";
import { type Operand, read, write } from "../kernelSpec";
import type { TensorAllocator } from "../storage";

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

export function addColumnSums(dispatcher: KernelDispatcher, storage: TensorAllocator, sums: ColumnSums): void {
  const { columns, into } = sums;
  const accumulate = sums.overwrite !== true;
  if (sums.rows === 0 && accumulate) return;
  const partials = levels(sums.rows).map((blocks) => storage.allocate([blocks, columns], "float32"));
  let level: Pick<ColumnSums, "values" | "rows" | "scaled"> = sums;
  for (const partial of partials) {
    const blocks = Math.ceil(level.rows / ROWS_PER_BLOCK);
    if (blocks <= 1) break;
    runColumnSums(dispatcher, { ...level, columns, blocks, into: partial, accumulate: false });
    level = { values: partial, rows: blocks };
  }
  runColumnSums(dispatcher, { ...level, columns, blocks: 1, into, accumulate });
  for (const partial of partials) partial.dispose();
}

/**
 * Blocks of rows, blocks of blocks …: at least two levels, even for few rows, so that batches of all sizes allocate in
 * one order (arena.ts).
 */
function levels(rows: number): number[] {
  const sizes: number[] = [];
  for (let left = rows; left > ROWS_PER_BLOCK || sizes.length < 2; ) {
    left = Math.max(1, Math.ceil(left / ROWS_PER_BLOCK));
    sizes.push(left);
  }
  return sizes;
}

interface BlockSums extends Omit<ColumnSums, "overwrite"> {
  readonly blocks: number;
  readonly accumulate: boolean;
}

function runColumnSums(
  dispatcher: KernelDispatcher,
  { values, rows, columns, blocks, into, accumulate, scaled }: BlockSums,
): void {
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
