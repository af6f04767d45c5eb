/** Reference LoRA up-projection; gradient by tfjs' autodiff. */
import * as tf from "@tensorflow/tfjs-core";
import type { Columns, Kernels } from "../../kernels";
import { accumulate } from "../cpuMemory";
import { timesTransposed } from "../plainWeight";
import { expectShape, sizeOf } from "../shapes";

function upProject(h: tf.Tensor, b: tf.Tensor, scale: number): tf.Tensor {
  return tf.mul(timesTransposed(h, b), scale);
}

function checkLora(kernel: string, y: tf.Tensor, columns: Columns, h: tf.Tensor, b: tf.Tensor): void {
  expectShape(kernel, "b", b, [columns.count, null]);
  expectShape(kernel, "h", h, [sizeOf(y, 0), sizeOf(b, 1)]);
  if (columns.offset < 0 || columns.offset + columns.count > sizeOf(y, 1)) {
    throw new Error(
      `${kernel}: columns [${columns.offset}, ${columns.offset + columns.count}) lie outside a matrix of ` +
        `${sizeOf(y, 1)} columns.`,
    );
  }
}

export const loraKernels: Pick<Kernels, "loraApply" | "loraApplyGrad"> = {
  loraApply(intoY, columns, h, b, scale) {
    checkLora("loraApply", intoY, columns, h, b);
    const [rows, width] = [sizeOf(intoY, 0), sizeOf(intoY, 1)];
    const margin: [number, number][] = [
      [0, 0],
      [columns.offset, width - columns.offset - columns.count],
    ];
    accumulate(intoY, tf.pad(tf.reshape(upProject(h, b, scale), [rows, columns.count]), margin));
  },

  loraApplyGrad(dy, columns, h, b, scale, intoB) {
    checkLora("loraApplyGrad", dy, columns, h, b);
    expectShape("loraApplyGrad", "intoB", intoB, b.shape);
    const dUp = tf.slice(dy, [0, columns.offset], [sizeOf(dy, 0), columns.count]);
    const [dh, dB] = tf.grads((down, up) => upProject(down!, up!, scale))([h, b], dUp);
    accumulate(intoB, dB!);
    return dh!;
  },
};
