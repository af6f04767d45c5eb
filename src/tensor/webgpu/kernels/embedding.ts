/**
 * Embedding look-up with image features standing in for image tokens, and its gradient. The gradient adds
 * rows of equal id in row order without atomics: each row finds the next row with its id, and the first row
 * of every such chain sums the chain.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weight } from "../../kernels";
import { type Dispatcher, type Operand, read, write } from "../dispatch";
import { expectShape, expectWeight, matrix } from "../shapes";
import type { Storage } from "../storage";
import { columns4, rowBlocks, weightAccess, weightBlocks, weightOperands } from "./weightAccess";

const LOOK_UP = `
fn kernel(group: u32, lane: u32) {
  let item = group * THREADS + lane;
  let quads = (params.weightColumns + 3u) / 4u;
  let row = item / quads;
  let column = (item % quads) * 4u;
  if (row >= params.rows) { return; }
  let id = ids[row];
  var value: vec4f;
  if (id >= 0) {
    let tableRow = u32(id) - params.firstTableRow; // of another block: below 0 wraps around
    if (tableRow >= params.tableRows) { return; }
    value = weight4(tableRow, column);
  } else {
    if (params.firstTableRow > 0u) { return; }
    value = feature4(u32(-1 - id), column);
  }
  for (var i = 0u; i < min(4u, params.weightColumns - column); i++) {
    y[row * params.weightColumns + column + i] = value[i];
  }
}`;

const CHAINS = `
fn kernel(group: u32, lane: u32) {
  let row = group * THREADS + lane;
  if (row >= params.rows) { return; }
  let id = ids[row];
  var before = row;
  while (before > 0u && ids[before - 1u] != id) { before--; }
  var after = row + 1u;
  while (after < params.rows && ids[after] != id) { after++; }
  // The next row of the chain (0: none; no chain continues at row 0), its first row marked in the top bit.
  chains[row] = select(0u, after, after < params.rows) | select(0u, 0x80000000u, before == 0u);
}`;

/** One target at a time: ids ≥ 0 go to the table, negative ones to the features. */
const sumChains = (features: boolean): string => `
fn kernel(group: u32, lane: u32) {
  let row = group / params.columnGroups;
  let column = (group % params.columnGroups) * THREADS + lane;
  var link = chains[row];
  let id = ids[row];
  let targetRow = u32(${features ? "-1 - id" : "id"}) - params.firstRow; // of another block: below 0 wraps around
  let isOther = id ${features ? ">= 0" : "< 0"};
  if (column >= params.columns || (link & 0x80000000u) == 0u || isOther || targetRow >= params.targetRows) { return; }
  var sum = dy[row * params.columns + column];
  link &= 0x7fffffffu;
  while (link != 0u) {
    sum += dy[link * params.columns + column];
    link = chains[link] & 0x7fffffffu;
  }
  target_[targetRow * params.columns + column] += sum;
}`;

export class EmbeddingKernels {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly storage: Storage,
  ) {}

  embedding(table: Weight, features: Tensor | null, ids: Tensor): Tensor {
    expectWeight("embedding", "table", table);
    const width = table.in;
    if (features) expectShape("embedding", "features", features, [-1, width]);
    const rows = ids.size;
    const y = this.storage.allocate([rows, width], "float32");
    const aligned = width % 4 === 0;
    const access = weightAccess(table.format, aligned);
    const { elementThreads } = this.dispatcher.traits;
    const kernel = this.dispatcher.kernel(`embedding ${access.key}${features ? " features" : ""}`, () => ({
      buffers: [
        ...access.buffers,
        ...(features ? [read("features", aligned ? "vec4f" : "f32")] : []),
        read("ids", "i32"),
        write("y"),
      ],
      params: { rows: "u32", weightColumns: "u32", firstTableRow: "u32", tableRows: "u32" },
      threads: elementThreads,
      code: `
${access.code}
${
  features
    ? columns4("feature4", "features", "params.weightColumns", aligned)
    : "fn feature4(row: u32, column: u32) -> vec4f { return vec4f(0.0); }"
}
${LOOK_UP}`,
    }));
    const groups = Math.ceil((rows * Math.ceil(width / 4)) / elementThreads);
    for (const block of weightBlocks(table, this.dispatcher.weightBindingBytes)) {
      const operands: Operand[] = [
        ...weightOperands(table, block.first, block.rows),
        ...(features ? [features] : []),
        ids,
        y,
      ];
      // The last block takes every id from its first on, so that each row is written whatever its id.
      const isLast = block.first + block.rows === table.out;
      this.dispatcher.run(
        kernel,
        operands,
        [rows, width, block.first, isLast ? Math.min(2 ** 32 - 1, 2 ** 32 - block.first) : block.rows],
        groups,
      );
    }
    return y;
  }

  embeddingGrad(dy: Tensor, ids: Tensor, intoTable: Tensor | null, intoFeatures: Tensor | null): void {
    const [rows, columns] = matrix("embeddingGrad", "dy", dy);
    expectShape("embeddingGrad", "ids", ids, [rows]);
    if (intoTable) expectShape("embeddingGrad", "intoTable", intoTable, [-1, columns]);
    if (intoFeatures) expectShape("embeddingGrad", "intoFeatures", intoFeatures, [-1, columns]);
    if (rows === 0 || (!intoTable && !intoFeatures)) return;
    const threads = this.dispatcher.traits.elementThreads;
    const chains = this.storage.allocate([rows], "int32");
    const link = this.dispatcher.kernel("embeddingGrad chains", () => ({
      buffers: [read("ids", "i32"), write("chains", "u32")],
      params: { rows: "u32" },
      threads,
      code: CHAINS,
    }));
    this.dispatcher.run(link, [ids, chains], [rows], Math.ceil(rows / threads), rows * rows);
    if (intoTable) this.addChains(dy, ids, chains, intoTable, false, rows, columns);
    if (intoFeatures) this.addChains(dy, ids, chains, intoFeatures, true, rows, columns);
    chains.dispose();
  }

  private addChains(
    dy: Tensor,
    ids: Tensor,
    chains: Tensor,
    into: Tensor,
    features: boolean,
    rows: number,
    columns: number,
  ): void {
    const threads = this.dispatcher.traits.elementThreads;
    const kernel = this.dispatcher.kernel(`embeddingGrad ${features ? "features" : "table"}`, () => ({
      buffers: [read("dy"), read("ids", "i32"), read("chains", "u32"), write("target_")],
      params: { columns: "u32", columnGroups: "u32", firstRow: "u32", targetRows: "u32" },
      threads,
      code: sumChains(features),
    }));
    const columnGroups = Math.ceil(columns / threads);
    for (const block of rowBlocks(into.shape[0] ?? 0, 4 * columns, this.dispatcher.weightBindingBytes)) {
      const target: Operand =
        block.first === 0 && block.rows === into.shape[0]
          ? into
          : { tensor: into, offset: block.first * columns, size: block.rows * columns };
      this.dispatcher.run(
        kernel,
        [dy, ids, chains, target],
        [columns, columnGroups, block.first, block.rows],
        rows * columnGroups,
      );
    }
  }
}
