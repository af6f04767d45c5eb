/**
 * Compiled kernels. Every kernel is written for a one-dimensional range of workgroups (`kernel(group, lane)`); the
 * dispatcher lays that range out over x and y, and tells in the parameters' first word where a piece of it begins.
 */
import { KernelError } from "../backend";
import { MAX_PARAMS, type ParamType, SLOT_BYTES } from "./parameterRing";

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
   * and always inside the range that was asked for, `lane` is in [0, THREADS). With subgroups enabled:
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

export interface Kernel {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly buffers: readonly BufferSpec[];
  readonly paramTypes: readonly ParamType[];
  readonly bindGroups: Map<string, GPUBindGroup>;
}

interface Layout {
  readonly layout: GPUBindGroupLayout;
  readonly pipelineLayout: GPUPipelineLayout;
}

export const read = (name: string, element = "f32"): BufferSpec => ({ name, access: "r", element });
export const write = (name: string, element = "f32"): BufferSpec => ({ name, access: "w", element });

export class Pipelines {
  private readonly kernels = new Map<string, Kernel>();
  private readonly layouts = new Map<string, Layout>();

  constructor(private readonly device: GPUDevice) {}

  /** The compiled kernel called `name`; `spec` is asked once. Everything baked into the code belongs in the name. */
  kernel(name: string, spec: () => KernelSpec): Kernel {
    const known = this.kernels.get(name);
    if (known) return known;
    const made = this.compile(name, spec());
    this.kernels.set(name, made);
    return made;
  }

  /** Buffers were destroyed: bind groups that hold them must go. */
  forgetBindGroups(): void {
    for (const kernel of this.kernels.values()) kernel.bindGroups.clear();
  }

  private compile(name: string, spec: KernelSpec): Kernel {
    const paramTypes = Object.values(spec.params);
    if (paramTypes.length > MAX_PARAMS) throw new KernelError(`Kernel ${name} has more than ${MAX_PARAMS} parameters.`);
    const { layout, pipelineLayout } = this.layout(spec.buffers.map((buffer) => buffer.access).join(""));
    const module = this.device.createShaderModule({ label: name, code: shaderCode(spec) });
    const pipeline = this.device.createComputePipeline({
      label: name,
      layout: pipelineLayout,
      compute: { module, entryPoint: "main" },
    });
    return { name, pipeline, layout, buffers: spec.buffers, paramTypes, bindGroups: new Map() };
  }

  /** Explicit layouts, one for each pattern of accesses: an automatic layout drops bindings the code does not use. */
  private layout(accesses: string): Layout {
    const known = this.layouts.get(accesses);
    if (known) return known;
    const entries: GPUBindGroupLayoutEntry[] = [...accesses].map((access, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === "w" ? "storage" : "read-only-storage" },
    }));
    entries.push({
      binding: accesses.length,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: SLOT_BYTES },
    });
    const layout = this.device.createBindGroupLayout({ label: `kernel ${accesses}`, entries });
    const made = {
      layout,
      pipelineLayout: this.device.createPipelineLayout({ label: `kernel ${accesses}`, bindGroupLayouts: [layout] }),
    };
    this.layouts.set(accesses, made);
    return made;
  }
}

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
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) count: vec3u,
  @builtin(${one ? "subgroup_invocation_id" : "local_invocation_index"}) lane:
    u32${subgroups ? SUBGROUP_BUILTINS : ""}) {
  kernel(params.firstGroup + at.x + at.y * count.x,
    lane${subgroups ? ", subgroup, subgroups, subgroupLane, subgroupSize" : ""});
}
`;
}

const SUBGROUP_BUILTINS =
  ", @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32" +
  ", @builtin(subgroup_invocation_id) subgroupLane: u32, @builtin(subgroup_size) subgroupSize: u32";
/**
 * Loops that run to a subgroup's own index are uniform within the subgroup, which not every compiler's analysis sees.
 */
const SUBGROUP_UNIFORMITY =
  "diagnostic(off, subgroup_uniformity);\ndiagnostic(off, chromium.subgroup_matrix_uniformity);";
