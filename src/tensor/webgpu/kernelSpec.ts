/** A kernel before it is compiled: its buffers, parameters and WGSL, and the tensors it is run on. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { ParamType } from "./parameterRing";

/** `r` read-only, `w` read and written. */
export interface BufferSpec {
  readonly name: string;
  readonly access: "r" | "w";
  /** WGSL element type of the runtime array. */
  readonly element: string;
}

/** WGSL extensions that a kernel may need; the device must have the feature behind them. */
export type Enable = "f16" | "subgroups" | "chromium_experimental_subgroup_matrix";

export interface KernelSpec {
  readonly enables?: readonly Enable[];
  readonly buffers: readonly BufferSpec[];
  readonly params: Readonly<Record<string, ParamType>>;
  /** Invocations of a workgroup; `THREADS` in WGSL. */
  readonly threads: number;
  /**
   * WGSL with `fn kernel(group: u32, lane: u32)`: `group` is the same for all invocations of a workgroup
   * and always inside the requested range, `lane` is in [0, THREADS). With subgroups enabled:
   * `fn kernel(group, lane, subgroup, subgroups, subgroupLane, subgroupSize)`, all u32: which of how many subgroups of
   * the workgroup, which lane of how many.
   */
  readonly code: string;
  /**
   * `threads` is the size of every subgroup, so that a workgroup is one: `kernel(group, lane)` gets the lane of the
   * subgroup.
   */
  readonly oneSubgroup?: boolean;
}

export const read = (name: string, element = "f32"): BufferSpec => ({ name, access: "r", element });
export const write = (name: string, element = "f32"): BufferSpec => ({ name, access: "w", element });

/** A tensor, or a part of one: elements from `offset` (a multiple of the view alignment) on. */
export type Operand = Tensor | { readonly tensor: Tensor; readonly offset: number; readonly size: number };

/** The whole WGSL module of a kernel. */
export function shaderCode(spec: KernelSpec): string {
  const params = Object.entries(spec.params).map(([name, type]) => `  ${name}: ${type},`);
  const bindings = spec.buffers.map(
    ({ name, access, element }, i) =>
      `@group(0) @binding(${i}) var<storage, ${access === "w" ? "read_write" : "read"}> ${name}: array<${element}>;`,
  );
  const enables = spec.enables ?? [];
  const one = spec.oneSubgroup === true;
  const subgroups = enables.includes("subgroups") && !one;
  const lane = one ? "subgroup_invocation_id" : "local_invocation_index";
  const [builtins, passed] = subgroups ? [SUBGROUP_BUILTINS, SUBGROUP_ARGUMENTS] : ["", ""];
  return `
${[...new Set<Enable>(one ? [...enables, "subgroups"] : enables)].map((enable) => `enable ${enable};`).join("\n")}
${subgroups || one ? SUBGROUP_UNIFORMITY : ""}
struct Params {
  firstGroup: u32,
${params.join("\n")}
}
${bindings.join("\n")}
@group(0) @binding(${spec.buffers.length}) var<uniform> params: Params;
const THREADS = ${spec.threads}u;
${spec.code}
@compute @workgroup_size(${spec.threads})
fn main(
  @builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(${lane}) lane: u32${builtins}
) {
  kernel(params.firstGroup + at.x + at.y * count.x, lane${passed});
}
`;
}

const SUBGROUP_ARGUMENTS = ", subgroup, subgroups, subgroupLane, subgroupSize";
const SUBGROUP_BUILTINS =
  ", @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32, " +
  "@builtin(subgroup_invocation_id) subgroupLane: u32, @builtin(subgroup_size) subgroupSize: u32";
/**
 * Loops bounded by a subgroup's own index are uniform within the subgroup, which not every compiler's analysis
 * recognises.
 */
const SUBGROUP_UNIFORMITY =
  "diagnostic(off, subgroup_uniformity);\ndiagnostic(off, chromium.subgroup_matrix_uniformity);";
