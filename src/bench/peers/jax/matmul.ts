/** One matrix product by jax-js, compiled. The weight's gradient accumulates. */
import { blockUntilReady, jit, numpy as np } from "@jax-js/jax";
import type { Contender } from "../../contender";
import type { JobOf } from "../../job";
import { matmulInputs } from "../../workload";
import type { GpuCalls } from "../gpuCalls";
import { measured } from "./measured";

export function openMatmul(calls: GpuCalls | null, { form, rows, inner, outer }: JobOf<"matmul">): Contender {
  const matrix = (count: number, stream: number, shape: number[]): np.Array =>
    np.array(matmulInputs(count, stream)).reshape(shape);
  const x = matrix(rows * inner, 0, [rows, inner]);
  const dy = matrix(rows * outer, 1, [rows, outer]);
  const weight = matrix(outer * inner, 2, [outer, inner]);
  let gradient = np.zeros([outer, inner]);
  const forward = jit((a: np.Array, w: np.Array) => np.matmul(a, np.transpose(w)));
  const inputGradient = jit((a: np.Array, w: np.Array) => np.matmul(a, w));
  const weightGradient = jit((sum: np.Array, a: np.Array, b: np.Array) => sum.add(np.matmul(np.transpose(b), a)));
  /** The result, owned by the caller. */
  const once = (): np.Array => {
    switch (form) {
      case "forward":
        return forward(x.ref, weight.ref);
      case "inputGradient":
        return inputGradient(dy.ref, weight.ref);
      case "weightGradient":
        gradient = weightGradient(gradient, x.ref, dy.ref);
        return gradient.ref;
      default:
        return form satisfies never;
    }
  };
  return {
    check: async () => [...(await once().data())].slice(0, 64),
    run: (units) =>
      measured(calls, 1, async () => {
        for (let i = 1; i < units; i++) {
          const result = once();
          // jax-js computes lazily: a result that nobody waits for might not be computed.
          await blockUntilReady(result);
          result.dispose();
        }
        const last = once();
        await blockUntilReady(last);
        last.dispose();
      }),
    async close() {
      for (const array of [x, dy, weight, gradient]) array.dispose();
      for (const compiled of [forward, inputGradient, weightGradient]) compiled.dispose();
    },
  };
}
