/** Linear layers, LoRA, embeddings, and the fused vocabulary head of the wasm backend. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Kernels, Weight } from "../kernels";
import { expectColumns, expectShape, expectWeight, matrixOf } from "./checks";
import type { WasmMemory } from "./memory";

type MatrixKernels = Pick<
  Kernels,
  | "embedding"
  | "embeddingGrad"
  | "linear"
  | "linearGradInput"
  | "linearGradWeight"
  | "loraApply"
  | "loraApplyGrad"
  | "tokenLogprobs"
  | "tokenLogprobsGrad"
>;

/** Rows of a transposed product taken at a time: T_BLOCK in assembly/gemm.ts. */
const T_BLOCK = 256;
/** Tokens of the vocabulary and rows of logits held at a time: 256 KiB. */
const VOCABULARY_CHUNK = 512;
const ROW_BLOCK = 128;

const up4 = (n: number) => (n + 3) & ~3;
const up8 = (n: number) => (n + 7) & ~7;
const transposedBytes = (m: number, n: number) => 128 + 4 * T_BLOCK * (up4(m) + up8(n));

export function matrixKernels(memory: WasmMemory): MatrixKernels {
  const wasm = memory.exports;
  const at = (tensor: Tensor | null): number => (tensor ? memory.pointer(tensor) : 0);

  /** Format number, address of the values, address of the scales: as assembly/packs.ts takes them. */
  const addresses = (weight: Weight): [number, number, number] => {
    switch (weight.format) {
      case "f32":
        return [0, at(weight.values), 0];
      case "f16":
        return [1, at(weight.packed), 0];
      case "int4":
        return [2, at(weight.packed), at(weight.scales)];
    }
  };

  const headBytes = (n: number, d: number, chunk: number, v: number) =>
    160 +
    16 * n +
    4 * d * up8(chunk) +
    4 * d * Math.max(8, chunk) +
    4 * chunk * up8(d) +
    4 * ROW_BLOCK * up4(chunk + 4) +
    transposedBytes(Math.min(chunk, v), d);

  return {
    embedding(table, features, ids) {
      expectWeight("embedding", "table", table, table.in);
      expectShape("embedding", "ids", ids, [-1], "int32");
      if (features) expectShape("embedding", "features", features, [-1, table.in]);
      if (!wasm.idsWithin(ids.size, at(ids), table.out, features?.shape[0] ?? 0)) {
        throw new Error(`embedding: ids hold a value outside [${-(features?.shape[0] ?? 0)}, ${table.out})`);
      }
      const out = memory.allocate([ids.size, table.in]);
      wasm.embedding(ids.size, table.in, at(ids), ...addresses(table), at(features), at(out));
      return out;
    },

    embeddingGrad(dy, ids, intoTable, intoFeatures) {
      const [n, d] = matrixOf("embeddingGrad", "dy", dy);
      expectShape("embeddingGrad", "ids", ids, [n], "int32");
      if (intoTable) expectShape("embeddingGrad", "intoTable", intoTable, [-1, d]);
      if (intoFeatures) expectShape("embeddingGrad", "intoFeatures", intoFeatures, [-1, d]);
      const largest = 2 ** 31 - 1;
      if (!wasm.idsWithin(n, at(ids), intoTable?.shape[0] ?? largest, intoFeatures?.shape[0] ?? largest)) {
        throw new Error(
          `embeddingGrad: ids hold a value outside the table [${intoTable?.shape}] or the features [${intoFeatures?.shape}]`,
        );
      }
      wasm.embeddingGrad(n, d, at(ids), at(dy), at(intoTable), at(intoFeatures));
    },

    linear(x, weight, bias, residual) {
      const [n, inputs] = matrixOf("linear", "x", x);
      expectWeight("linear", "weight", weight, inputs);
      const outputs = weight.out;
      if (bias) expectShape("linear", "bias", bias, [outputs]);
      if (residual) expectShape("linear", "residual", residual, [n, outputs]);
      const scratch = memory.scratch(160 + 4 * inputs * (up8(outputs) + 8));
      const y = memory.allocate([n, outputs]);
      wasm.linear(n, inputs, outputs, at(x), ...addresses(weight), at(bias), at(residual), at(y), scratch);
      return y;
    },

    linearGradInput(dy, weight, add) {
      const [n, outputs] = matrixOf("linearGradInput", "dy", dy);
      const inputs = weight.in;
      expectWeight("linearGradInput", "weight", weight, inputs);
      expectShape("linearGradInput", "dy", dy, [n, weight.out]);
      if (add) expectShape("linearGradInput", "add", add, [n, inputs]);
      const scratch = memory.scratch(160 + 4 * outputs * (up8(inputs) + (weight.format === "f32" ? 0 : inputs)));
      const dx = memory.allocate([n, inputs]);
      wasm.linearGradInput(n, inputs, outputs, at(dy), ...addresses(weight), at(add), at(dx), scratch);
      return dx;
    },

    linearGradWeight(x, dy, intoWeight, intoBias) {
      const [n, inputs] = matrixOf("linearGradWeight", "x", x);
      const [, outputs] = matrixOf("linearGradWeight", "dy", dy);
      expectShape("linearGradWeight", "dy", dy, [n, outputs]);
      if (intoWeight) {
        expectShape("linearGradWeight", "intoWeight", intoWeight, [outputs, inputs]);
        const scratch = memory.scratch(transposedBytes(outputs, inputs));
        wasm.linearGradWeight(n, inputs, outputs, at(x), at(dy), at(intoWeight), scratch);
      }
      if (intoBias) {
        expectShape("linearGradWeight", "intoBias", intoBias, [outputs]);
        wasm.columnSums(n, outputs, at(dy), at(intoBias));
      }
    },

    loraApply(intoY, columns, h, b, scale) {
      const [n, width] = matrixOf("loraApply", "intoY", intoY);
      const [, rank] = matrixOf("loraApply", "h", h);
      expectColumns("loraApply", columns, width);
      expectShape("loraApply", "h", h, [n, rank]);
      expectShape("loraApply", "b", b, [columns.count, rank]);
      const scratch = memory.scratch(160 + 4 * rank * up8(columns.count));
      wasm.loraApply(n, rank, columns.count, at(intoY) + 4 * columns.offset, 4 * width, at(h), at(b), scale, scratch);
    },

    loraApplyGrad(dy, columns, h, b, scale, intoB) {
      const [n, width] = matrixOf("loraApplyGrad", "dy", dy);
      const [, rank] = matrixOf("loraApplyGrad", "h", h);
      expectColumns("loraApplyGrad", columns, width);
      expectShape("loraApplyGrad", "h", h, [n, rank]);
      expectShape("loraApplyGrad", "b", b, [columns.count, rank]);
      if (intoB) expectShape("loraApplyGrad", "intoB", intoB, [columns.count, rank]);
      const scratch = memory.scratch(
        Math.max(160 + 4 * columns.count * up8(rank), transposedBytes(columns.count, rank)),
      );
      const dh = memory.allocate([n, rank]);
      wasm.loraApplyGrad(
        n,
        rank,
        columns.count,
        at(dy) + 4 * columns.offset,
        4 * width,
        at(h),
        at(b),
        scale,
        at(dh),
        at(intoB),
        scratch,
      );
      return dh;
    },

    tokenLogprobs(hidden, head, targets, temperature) {
      const [n, d] = matrixOf("tokenLogprobs", "hidden", hidden);
      expectHead("tokenLogprobs", n, d, head, targets, temperature);
      const chunk = Math.min(VOCABULARY_CHUNK, head.out);
      const scratch = memory.scratch(headBytes(n, d, chunk, head.out));
      const [logprob, lse, entropy] = [memory.allocate([n]), memory.allocate([n]), memory.allocate([n])];
      wasm.tokenLogprobs(
        n,
        d,
        head.out,
        at(hidden),
        ...addresses(head),
        at(targets),
        temperature,
        at(logprob),
        at(lse),
        at(entropy),
        chunk,
        ROW_BLOCK,
        scratch,
      );
      return { logprob, lse, entropy };
    },

    tokenLogprobsGrad(hidden, head, targets, lse, dLogprob, temperature, intoHead) {
      const [n, d] = matrixOf("tokenLogprobsGrad", "hidden", hidden);
      expectHead("tokenLogprobsGrad", n, d, head, targets, temperature);
      expectShape("tokenLogprobsGrad", "lse", lse, [n]);
      expectShape("tokenLogprobsGrad", "dLogprob", dLogprob, [n]);
      if (intoHead) expectShape("tokenLogprobsGrad", "intoHead", intoHead, [head.out, d]);
      const chunk = Math.min(VOCABULARY_CHUNK, head.out);
      const scratch = memory.scratch(headBytes(n, d, chunk, head.out));
      const dHidden = memory.allocate([n, d]);
      wasm.tokenLogprobsGrad(
        n,
        d,
        head.out,
        at(hidden),
        ...addresses(head),
        at(targets),
        temperature,
        at(lse),
        at(dLogprob),
        at(dHidden),
        at(intoHead),
        chunk,
        ROW_BLOCK,
        scratch,
      );
      return dHidden;
    },
  };

  function expectHead(kernel: string, n: number, d: number, head: Weight, targets: Tensor, temperature: number): void {
    expectWeight(kernel, "head", head, d);
    expectShape(kernel, "targets", targets, [n], "int32");
    if (!(temperature > 0)) throw new Error(`${kernel}: temperature is ${temperature}, expected a positive number`);
    if (!wasm.idsWithin(n, at(targets), head.out, 1))
      throw new Error(`${kernel}: targets hold a value outside [-1, ${head.out})`);
  }
}
