/**
 * Linear layers and their gradients (kernels.ts), on top of the matrix products. A weight larger than the adapter can
 * bind at once is processed in blocks of its rows: of y's columns, or of the sum that makes dx.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Weight } from "../../kernels";
import type { KernelDispatcher } from "../dispatch";
import type { Operand } from "../kernelSpec";
import { expectShape, expectWeight, matrix } from "../shapes";
import type { TensorAllocator } from "../storage";
import { addColumnSums } from "./columnSums";
import { matmul } from "./matmul";
import { type RowBlock, rowBlocks, weightAccess, weightBlocks, weightOperands } from "./weightAccess";

export class LinearKernels {
  constructor(
    private readonly dispatcher: KernelDispatcher,
    private readonly storage: TensorAllocator,
  ) {}

  linear(x: Tensor, weight: Weight, bias: Tensor | null, residual: Tensor | null): Tensor {
    const [rows] = matrix("linear", "x", x);
    expectShape("linear", "x", x, [rows, weight.in]);
    expectWeight("linear", "weight", weight);
    if (bias) expectShape("linear", "bias", bias, [weight.out]);
    if (residual) expectShape("linear", "residual", residual, [rows, weight.out]);
    const y = this.storage.allocate([rows, weight.out], "float32");
    for (const block of weightBlocks(weight, this.dispatcher.weightBindingBytes)) {
      matmul(this.dispatcher, {
        orientation: "NT",
        m: rows,
        n: block.rows,
        k: weight.in,
        a: x,
        b: packed(weight, block.first, block.rows),
        c: fromColumn(y, block),
        cColumns: weight.out,
        bias: bias && fromColumn(bias, block),
        residual: residual && fromColumn(residual, block),
      });
    }
    return y;
  }

  linearGradInput(dy: Tensor, weight: Weight, add: Tensor | null): Tensor {
    const [rows] = matrix("linearGradInput", "dy", dy);
    expectShape("linearGradInput", "dy", dy, [rows, weight.out]);
    expectWeight("linearGradInput", "weight", weight);
    if (add) expectShape("linearGradInput", "add", add, [rows, weight.in]);
    const dx = this.storage.allocate([rows, weight.in], "float32");
    for (const block of weightBlocks(weight, this.dispatcher.weightBindingBytes)) {
      matmul(this.dispatcher, {
        orientation: "NN",
        m: rows,
        n: weight.in,
        k: block.rows,
        a: dy,
        aPart: { columns: weight.out, first: block.first },
        b: packed(weight, block.first, block.rows),
        c: dx,
        residual: block.first === 0 ? add : null,
        accumulate: block.first > 0,
      });
    }
    return dx;
  }

  linearGradWeight(x: Tensor, dy: Tensor, intoWeight: Tensor | null, intoBias: Tensor | null): void {
    const [rows, inputs] = matrix("linearGradWeight", "x", x);
    const [, outputs] = matrix("linearGradWeight", "dy", dy);
    expectShape("linearGradWeight", "dy", dy, [rows, outputs]);
    if (intoWeight) {
      expectShape("linearGradWeight", "intoWeight", intoWeight, [outputs, inputs]);
      for (const block of rowBlocks(outputs, 4 * inputs, this.dispatcher.weightBindingBytes)) {
        const into =
          block.rows === outputs
            ? intoWeight
            : { tensor: intoWeight, offset: block.first * inputs, size: block.rows * inputs };
        this.addOuterProducts(x, dy, into, rows, inputs, block.rows, { columns: outputs, first: block.first });
      }
    }
    if (intoBias) {
      expectShape("linearGradWeight", "intoBias", intoBias, [outputs]);
      addColumnSums(this.dispatcher, this.storage, { values: dy, rows, columns: outputs, into: intoBias });
    }
  }

  /** into [outputs, inputs] += dyᵀ · x, both over `rows` rows; `dyPart`: which columns of a wider dy to use. */
  addOuterProducts(
    x: Operand,
    dy: Operand,
    into: Operand,
    rows: number,
    inputs: number,
    outputs: number,
    dyPart?: { readonly columns: number; readonly first: number },
  ): void {
    if (rows === 0) return;
    matmul(this.dispatcher, {
      orientation: "TN",
      m: outputs,
      n: inputs,
      k: rows,
      a: dy,
      ...(dyPart ? { aPart: dyPart } : {}),
      b: { access: weightAccess("f32", inputs % 4 === 0), operands: [x] },
      c: into,
      accumulate: true,
    });
  }
}

/** A matrix (or vector) from the block's first column on; the whole tensor for the first block. */
function fromColumn(tensor: Tensor, { first }: RowBlock): Operand {
  return first === 0 ? tensor : { tensor, offset: first, size: tensor.size - first };
}

/** A weight, or 64-aligned rows of one, as the second operand of a product. */
export function packed(
  weight: Weight,
  firstRow = 0,
  rows = weight.out,
): { access: ReturnType<typeof weightAccess>; operands: Operand[] } {
  return { access: weightAccess(weight.format, weight.in % 4 === 0), operands: weightOperands(weight, firstRow, rows) };
}
