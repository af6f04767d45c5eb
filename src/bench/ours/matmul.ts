/** One matrix product by our kernels. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend } from "../../tensor/backend";
import { disposeWeight, packWeight } from "../../tensor/packedWeight";
import type { Contender } from "../contender";
import type { JobOf } from "../job";
import { matmulInputs } from "../workload";
import { measured } from "./measured";

export async function openMatmul(
  backend: Backend,
  { form, rows, inner, outer, format = "f32" }: JobOf<"matmul">,
): Promise<Contender> {
  const x = backend.upload(matmulInputs(rows * inner, 0), [rows, inner]);
  const dy = backend.upload(matmulInputs(rows * outer, 1), [rows, outer]);
  const weight = packWeight(backend, matmulInputs(outer * inner, 2), outer, inner, format);
  const gradient = backend.zeros([outer, inner]);
  /** The result; its last element is read. The weight's gradient accumulates in place. */
  const once = (): Tensor => {
    switch (form) {
      case "forward":
        return backend.kernels.linear(x, weight, null, null);
      case "inputGradient":
        return backend.kernels.linearGradInput(dy, weight, null);
      case "weightGradient":
        backend.kernels.linearGradWeight(x, dy, gradient, null);
        return gradient;
      default:
        return form satisfies never;
    }
  };
  const free = (result: Tensor): void => {
    if (result !== gradient) result.dispose();
  };
  return {
    async check() {
      const result = once();
      const [all] = await backend.read([result]);
      free(result);
      return [...(all ?? [])].slice(0, 64);
    },
    run: (units) =>
      measured(backend, 1, () => {
        for (let i = 1; i < units; i++) free(once());
        const last = once();
        const corner = backend.view(last, 0, [1]);
        return backend.read([corner]).finally(() => {
          corner.dispose();
          free(last);
        });
      }),
    async close() {
      disposeWeight(weight);
      for (const tensor of [x, dy, gradient]) tensor.dispose();
    },
  };
}
