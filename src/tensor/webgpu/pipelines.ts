/**
 * Compiled kernels. Every kernel is written for a one-dimensional range of workgroups (`kernel(group, lane)`); the
 * dispatcher lays that range out over x and y, and passes the first workgroup of each piece in the first word of the
 * parameters.
 */
import { KernelError } from "../backend";
import { type BufferSpec, type KernelSpec, shaderCode } from "./kernelSpec";
import { MAX_PARAMS, type ParamType, SLOT_BYTES } from "./parameterRing";

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
