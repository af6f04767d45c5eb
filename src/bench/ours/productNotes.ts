/** What an adapter offers to matrix products, and what the tuner measured, in sentences. */
import type { Home } from "../../tensor/home";
import { WebGpuHome } from "../../tensor/webgpu/home";
import { offeredVariants } from "../../tensor/webgpu/kernels/products/choice";
import { describeConfig } from "../../tensor/webgpu/kernels/products/fragments";
import { figure } from "../tables";

/** Of the WebGPU home; none for others. */
export function productNotes(home: Home): readonly string[] {
  if (!(home instanceof WebGpuHome)) return [];
  const { adapter } = home.dispatcher.traits.products;
  const configs = adapter.fragments?.configs ?? [];
  const trials = home.productTuning?.trials ?? [];
  return [
    `Variants of the product that this adapter can run: ${offeredVariants(adapter).offered.join(", ")}.`,
    `Subgroup-matrix configurations that the driver offers: ${configs.length === 0 ? "none" : configs.map(describeConfig).join(", ")}.`,
    ...trials.map(
      ({ kind, variant, milliseconds, refused }) =>
        `The tuner on ${kind}: ${variant} ${refused ?? `${figure(milliseconds)} ms`}.`,
    ),
    ...(home.productTuning?.notes ?? []),
  ];
}
