/**
 * Linear layers: x · Wᵀ (+ bias) (+ residual), with W in any storage format, and LoRA adapters on blocks of
 * output columns (Hu et al. 2021, as PEFT computes it: y += scale · (x Aᵀ) Bᵀ).
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Columns } from "../kernels";
import type { MatrixParameter, VectorParameter } from "../parameters";
import type { Tape } from "../tape";

/** A low-rank update of the output columns `columns`: A [r, in], B [columns.count, r]. */
export interface LoraBlock {
  readonly columns: Columns;
  readonly a: MatrixParameter;
  readonly b: { readonly value: Tensor; readonly grad: Tensor | null };
  readonly scale: number;
}

export interface LinearParameters {
  readonly matrix: MatrixParameter;
  readonly bias: VectorParameter | null;
  readonly lora: readonly LoraBlock[];
}

/** x [N, in] → x · Wᵀ + bias + residual [N, out]. */
export function linear(tape: Tape, x: Tensor, p: LinearParameters, residual: Tensor | null = null): Tensor {
  const { kernels } = tape.backend;
  const { matrix, bias } = p;
  const y = tape.own(kernels.linear(x, matrix.weight, bias?.value ?? null, residual));
  const trained = matrix.grad !== null || (bias !== null && bias.grad !== null);
  if (trained || tape.needsGradient(x) || (residual !== null && tape.needsGradient(residual))) {
    tape.record(y, () => {
      const dy = tape.takeGradient(y);
      if (dy === null) return;
      if (trained) kernels.linearGradWeight(x, dy, matrix.grad, bias?.grad ?? null);
      if (tape.needsGradient(x)) tape.accumulate(x, (add) => kernels.linearGradInput(dy, matrix.weight, add));
      if (residual !== null) tape.giveGradient(residual, dy);
      else tape.disposeTensor(dy);
    });
  }
  for (const block of p.lora) loraAdd(tape, x, y, block);
  return y;
}

/** y[:, columns] += scale · (x · Aᵀ) · Bᵀ, in place; the gradient of y passes through unchanged. */
function loraAdd(tape: Tape, x: Tensor, y: Tensor, { columns, a, b, scale }: LoraBlock): void {
  const { kernels } = tape.backend;
  const h = tape.own(kernels.linear(x, a.weight, null, null)); // [N, r]
  kernels.loraApply(y, columns, h, b.value, scale);
  if (a.grad === null && b.grad === null && !tape.needsGradient(x) && !tape.needsGradient(y)) return;
  tape.record(y, () => {
    const dy = tape.takeGradient(y);
    if (dy === null) return;
    const dh = kernels.loraApplyGrad(dy, columns, h, b.value, scale, b.grad);
    if (a.grad !== null) kernels.linearGradWeight(x, dh, a.grad, null);
    if (tape.needsGradient(x)) tape.accumulate(x, (add) => kernels.linearGradInput(dh, a.weight, add));
    dh.dispose();
    tape.giveGradient(y, dy);
  });
  tape.release(h);
}
