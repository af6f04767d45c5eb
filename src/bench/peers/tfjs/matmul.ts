/** One matrix product by tf.matMul. The weight's gradient accumulates, as micro-batches need it. */
import * as tf from "@tensorflow/tfjs";
import type { Contender } from "../../contender";
import type { JobOf } from "../../job";
import { matmulInputs } from "../../workload";
import type { OpenedTfjs } from "./backend";
import { measured } from "./measured";

export function openMatmul(opened: OpenedTfjs, { form, rows, inner, outer }: JobOf<"matmul">): Contender {
  const x = tf.tensor(matmulInputs(rows * inner, 0), [rows, inner]);
  const dy = tf.tensor(matmulInputs(rows * outer, 1), [rows, outer]);
  const weight = tf.tensor(matmulInputs(outer * inner, 2), [outer, inner]);
  let gradient: tf.Tensor = tf.zeros([outer, inner]);
  /** The result, to be disposed. */
  const once = (): tf.Tensor => {
    switch (form) {
      case "forward":
        return tf.matMul(x, weight, false, true);
      case "inputGradient":
        return tf.matMul(dy, weight);
      case "weightGradient": {
        const sum = tf.tidy(() => tf.add(gradient, tf.matMul(dy, x, true, false)));
        gradient.dispose();
        gradient = sum;
        return sum.clone();
      }
      default:
        return form satisfies never;
    }
  };
  return {
    async check() {
      const result = once();
      const values = await result.data();
      result.dispose();
      return [...values].slice(0, 64);
    },
    run: (units) =>
      measured(opened, 1, async () => {
        for (let i = 1; i < units; i++) once().dispose();
        const last = once();
        const corner = tf.slice(last, [0, 0], [1, 1]);
        last.dispose();
        await corner.data();
        corner.dispose();
      }),
    async close() {
      tf.dispose([x, dy, weight, gradient]);
    },
  };
}
