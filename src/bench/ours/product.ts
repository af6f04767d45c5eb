/** One matrix product by our kernels. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Home } from "../../tensor/home";
import { disposeWeight, packWeight } from "../../tensor/packedWeight";
import type { Contender, JobOf } from "../contender";
import { productInputs } from "../workload";
import { measured } from "./party";

export async function openProduct(
  home: Home,
  { form, rows, inner, outer, format = "f32" }: JobOf<"product">,
): Promise<Contender> {
  const x = home.upload(productInputs(rows * inner, 0), [rows, inner]);
  const dy = home.upload(productInputs(rows * outer, 1), [rows, outer]);
  const weight = packWeight(home, productInputs(outer * inner, 2), outer, inner, format);
  const gradient = home.zeros([outer, inner]);
  /** The result; its last element is read. The weight's gradient accumulates in place. */
  const once = (): Tensor => {
    switch (form) {
      case "forward":
        return home.kernels.linear(x, weight, null, null);
      case "inputGradient":
        return home.kernels.linearGradInput(dy, weight, null);
      case "weightGradient":
        home.kernels.linearGradWeight(x, dy, gradient, null);
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
      const [all] = await home.read([result]);
      free(result);
      return [...(all ?? [])].slice(0, 64);
    },
    run: (units) =>
      measured(home, 1, () => {
        for (let i = 1; i < units; i++) free(once());
        const last = once();
        const corner = home.view(last, 0, [1]);
        return home.read([corner]).finally(() => {
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
