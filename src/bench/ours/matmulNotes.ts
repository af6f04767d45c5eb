/** What an adapter offers to matrix products and what the tuner measured, in sentences. */
import type { Backend } from "../../tensor/backend";
import { WebGpuBackend } from "../../tensor/webgpu/backend";
import { offeredVariants } from "../../tensor/webgpu/kernels/matmul/choice";
import { describeConfig } from "../../tensor/webgpu/kernels/matmul/fragments";
import { figure } from "../tables";

/** For the WebGPU backend; empty for others. */
export function matmulNotes(backend: Backend): readonly string[] {
  if (!(backend instanceof WebGpuBackend)) return [];
  const { adapter } = backend.dispatcher.traits.matmul;
  const configs = adapter.fragments?.configs ?? [];
  const trials = backend.matmulTuning?.trials ?? [];
  return [
    `Matmul variants that this adapter can run: ${offeredVariants(adapter).offered.join(", ")}.`,
    "Subgroup-matrix configurations that the driver offers: " +
      `${configs.length === 0 ? "none" : configs.map(describeConfig).join(", ")}.`,
    ...trials.map(
      ({ kind, variant, milliseconds, refused }) =>
        `The tuner on ${kind}: ${variant} ${refused ?? `${figure(milliseconds)} ms`}.`,
    ),
    ...(backend.matmulTuning?.notes ?? []),
  ];
}
