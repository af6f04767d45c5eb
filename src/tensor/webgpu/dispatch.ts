/**
 * Records our kernels into tfjs' current compute pass. A dispatch is (pipeline, bind group, offset of its
 * parameters, workgroup counts); everything but the parameters is cached, so that the host's share is a
 * few map look-ups and one `dispatchWorkgroups`, and so that a sequence can be recorded and replayed.
 *
 * Parameters are 4-byte scalars in a ring of 256-byte slots, bound with a dynamic offset: filled on the
 * host while recording, uploaded in one `writeBuffer` just before each submit.
 *
 * Every kernel is written for a one-dimensional range of workgroups (`group` below). The dispatcher lays
 * that range out over x and y (at most 65535 each) and cuts it where one dispatch would run too long.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { KernelError, type HomeCounters } from "../home";
import type { BufferBinding, HomeBackend } from "./backend";
import type { AdapterTraits } from "./device";
import type { Faults } from "./faults";
import type { Storage } from "./storage";

export type ParamType = "u32" | "i32" | "f32";

/** `r` read-only, `w` read and written. */
export interface BufferSpec {
  readonly name: string;
  readonly access: "r" | "w";
  /** WGSL element type of the runtime array. */
  readonly element: string;
}

export interface KernelSpec {
  readonly buffers: readonly BufferSpec[];
  readonly params: Readonly<Record<string, ParamType>>;
  /** Invocations of a workgroup; `THREADS` in WGSL. */
  readonly threads: number;
  /**
   * WGSL with `fn kernel(group: u32, lane: u32)`: `group` is the same for all invocations of a workgroup
   * and always inside the range that was asked for, `lane` is in [0, THREADS).
   */
  readonly code: string;
}

export interface Kernel {
  readonly name: string;
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  readonly layoutId: number;
  readonly buffers: readonly BufferSpec[];
  readonly paramTypes: readonly ParamType[];
  readonly bindGroups: Map<string, GPUBindGroup>;
}

/** A tensor, or a part of one: elements from `offset` (a multiple of the view alignment) on. */
export type Operand = Tensor | { readonly tensor: Tensor; readonly offset: number; readonly size: number };

const SLOT_BYTES = 256;
const RING_SLOTS = 1024;
const MAX_PARAMS = SLOT_BYTES / 4 - 1;
const MAX_GROUPS_PER_DIMENSION = 65535;
const MAX_BIND_GROUPS_PER_KERNEL = 1024;

export const read = (name: string, element = "f32"): BufferSpec => ({ name, access: "r", element });
export const write = (name: string, element = "f32"): BufferSpec => ({ name, access: "w", element });

export class Dispatcher {
  private readonly kernels = new Map<string, Kernel>();
  private readonly layouts = new Map<string, { id: number; layout: GPUBindGroupLayout; pipelineLayout: GPUPipelineLayout }>();
  private readonly bufferIds = new WeakMap<GPUBuffer, number>();
  private nextBufferId = 1;
  private readonly ring: GPUBuffer;
  private readonly ringBytes = new ArrayBuffer(SLOT_BYTES * RING_SLOTS);
  private readonly ringU32 = new Uint32Array(this.ringBytes);
  private readonly ringI32 = new Int32Array(this.ringBytes);
  private readonly ringF32 = new Float32Array(this.ringBytes);
  /** Slots [uploaded, next) belong to recorded, not yet submitted dispatches. */
  private uploaded = 0;
  private next = 0;
  private readonly bindingLimit: number;

  constructor(
    private readonly backend: HomeBackend,
    private readonly storage: Storage,
    private readonly faults: Faults,
    private readonly counters: HomeCounters,
    readonly traits: AdapterTraits,
  ) {
    this.bindingLimit = backend.device.limits.maxStorageBufferBindingSize;
    this.ring = backend.device.createBuffer({
      label: "kernel parameters",
      size: SLOT_BYTES * RING_SLOTS,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }

  /** The compiled kernel called `name`; `spec` is asked once. Everything baked into the code belongs in the name. */
  kernel(name: string, spec: () => KernelSpec): Kernel {
    const known = this.kernels.get(name);
    if (known) return known;
    const made = this.compile(name, spec());
    this.kernels.set(name, made);
    return made;
  }

  /**
   * Record `groups` workgroups of a kernel; none if `groups` is 0.
   * @param operands in the order of the kernel's buffers
   * @param params in the order of the kernel's params
   * @param work floating-point operations of the whole range, to keep one dispatch short
   */
  run(kernel: Kernel, operands: readonly Operand[], params: readonly number[], groups: number, work = 0): void {
    this.faults.check();
    if (groups === 0) return;
    const bindGroup = this.bindGroup(kernel, operands);
    const pieces = Math.max(1, Math.ceil(work / this.traits.workPerDispatch));
    const piece = Math.ceil(groups / pieces);
    for (let first = 0; first < groups; first += piece) {
      this.recordRange(kernel, bindGroup, params, first, Math.min(piece, groups - first));
    }
    for (const operand of operands) this.storage.markUsed(tensorOf(operand).dataId);
    if (this.backend.internals.dispatchCountInPass >= this.traits.dispatchesPerSubmit) this.backend.submitRecorded();
  }

  /** Uploads the parameters of what is about to be submitted. */
  beforeSubmit(): void {
    if (this.next === this.uploaded) return;
    const offset = this.uploaded * SLOT_BYTES;
    this.backend.queue.writeBuffer(this.ring, offset, this.ringBytes, offset, (this.next - this.uploaded) * SLOT_BYTES);
    this.uploaded = this.next;
  }

  /** Buffers were destroyed: bind groups that hold them must go. */
  forgetBindGroups(): void {
    for (const kernel of this.kernels.values()) kernel.bindGroups.clear();
  }

  /** Bytes of a weight that are bound at once; a larger one is worked through in blocks of rows. */
  get weightBindingBytes(): number {
    return Math.min(this.bindingLimit, this.traits.weightBindingBytes);
  }

  /** Largest number of 4-byte elements that one binding of a kernel can hold. */
  get maxBoundElements(): number {
    return Math.floor(this.bindingLimit / 4);
  }

  private recordRange(kernel: Kernel, bindGroup: GPUBindGroup, params: readonly number[], first: number, count: number): void {
    const wide = Math.floor(count / MAX_GROUPS_PER_DIMENSION);
    if (count <= MAX_GROUPS_PER_DIMENSION) {
      this.record(kernel, bindGroup, params, first, count, 1);
      return;
    }
    this.record(kernel, bindGroup, params, first, MAX_GROUPS_PER_DIMENSION, wide);
    const rest = count - wide * MAX_GROUPS_PER_DIMENSION;
    if (rest > 0) this.record(kernel, bindGroup, params, first + count - rest, rest, 1);
  }

  private record(kernel: Kernel, bindGroup: GPUBindGroup, params: readonly number[], first: number, x: number, y: number): void {
    if (this.next === RING_SLOTS) {
      this.backend.submitRecorded();
      this.next = 0;
      this.uploaded = 0;
    }
    const slot = this.next++;
    let at = (slot * SLOT_BYTES) / 4;
    this.ringU32[at++] = first;
    for (let i = 0; i < params.length; i++, at++) {
      const value = params[i] ?? 0;
      const type = kernel.paramTypes[i];
      if (type === "f32") this.ringF32[at] = value;
      else if (type === "u32") this.ringU32[at] = value;
      else this.ringI32[at] = value;
    }
    const pass = this.backend.computePass();
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, bindGroup, [slot * SLOT_BYTES]);
    pass.dispatchWorkgroups(x, y, 1);
    this.backend.internals.dispatchCountInPass++;
    this.counters.dispatches++;
  }

  private bindGroup(kernel: Kernel, operands: readonly Operand[]): GPUBindGroup {
    if (operands.length !== kernel.buffers.length) {
      throw new Error(`Kernel ${kernel.name} binds ${kernel.buffers.length} buffers, got ${operands.length}.`);
    }
    const bindings = operands.map((operand) => this.binding(kernel, operand));
    let key = "";
    for (const { buffer, offset, size } of bindings) key += `${this.bufferId(buffer)}:${offset}:${size},`;
    const known = kernel.bindGroups.get(key);
    if (known) return known;
    this.refuseMixedUse(kernel, bindings);
    const entries: GPUBindGroupEntry[] = bindings.map((resource, binding) => ({ binding, resource }));
    entries.push({ binding: bindings.length, resource: { buffer: this.ring, offset: 0, size: SLOT_BYTES } });
    const made = this.backend.device.createBindGroup({ label: kernel.name, layout: kernel.layout, entries });
    if (kernel.bindGroups.size >= MAX_BIND_GROUPS_PER_KERNEL) kernel.bindGroups.clear();
    kernel.bindGroups.set(key, made);
    return made;
  }

  private binding(kernel: Kernel, operand: Operand): BufferBinding {
    let bound: BufferBinding;
    if ("tensor" in operand) {
      const whole = this.storage.binding(operand.tensor);
      bound = { buffer: whole.buffer, offset: whole.offset + 4 * operand.offset, size: Math.max(4, 4 * operand.size) };
    } else {
      bound = this.storage.binding(operand);
      // A buffer may be larger than its tensor, and only the tensor need be bound.
      if (bound.size > this.bindingLimit && 4 * operand.size <= this.bindingLimit) bound = { ...bound, size: 4 * operand.size };
    }
    if (bound.size > this.bindingLimit) {
      throw new Error(
        `Kernel ${kernel.name}: a tensor of ${bound.size} bytes is more than this adapter binds at once (${this.bindingLimit}). Use a packed weight format or a smaller model.`,
      );
    }
    return bound;
  }

  /** WebGPU forbids one buffer both read-only and writable in one dispatch, even in disjoint ranges. */
  private refuseMixedUse(kernel: Kernel, bindings: readonly BufferBinding[]): void {
    bindings.forEach((a, i) => {
      bindings.forEach((b, j) => {
        if (a.buffer === b.buffer && kernel.buffers[i]?.access === "w" && kernel.buffers[j]?.access === "r") {
          throw new Error(`Kernel ${kernel.name} would read and write one buffer (${kernel.buffers[j]?.name}, ${kernel.buffers[i]?.name}).`);
        }
      });
    });
  }

  private bufferId(buffer: GPUBuffer): number {
    let id = this.bufferIds.get(buffer);
    if (id === undefined) {
      id = this.nextBufferId++;
      this.bufferIds.set(buffer, id);
    }
    return id;
  }

  private compile(name: string, spec: KernelSpec): Kernel {
    const paramNames = Object.keys(spec.params);
    if (paramNames.length > MAX_PARAMS) throw new KernelError(`Kernel ${name} has more than ${MAX_PARAMS} parameters.`);
    const { device } = this.backend;
    const { id, layout, pipelineLayout } = this.layout(spec.buffers.map((buffer) => buffer.access).join(""));
    const module = device.createShaderModule({ label: name, code: shaderCode(spec) });
    const pipeline = device.createComputePipeline({ label: name, layout: pipelineLayout, compute: { module, entryPoint: "main" } });
    const paramTypes = Object.values(spec.params);
    return { name, pipeline, layout, layoutId: id, buffers: spec.buffers, paramTypes, bindGroups: new Map() };
  }

  /** Explicit layouts, one for each pattern of accesses: an automatic layout drops bindings the code does not use. */
  private layout(accesses: string): { id: number; layout: GPUBindGroupLayout; pipelineLayout: GPUPipelineLayout } {
    const known = this.layouts.get(accesses);
    if (known) return known;
    const { device } = this.backend;
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
    const layout = device.createBindGroupLayout({ label: `kernel ${accesses}`, entries });
    const pipelineLayout = device.createPipelineLayout({ label: `kernel ${accesses}`, bindGroupLayouts: [layout] });
    const made = { id: this.layouts.size, layout, pipelineLayout };
    this.layouts.set(accesses, made);
    return made;
  }
}

function tensorOf(operand: Operand): Tensor {
  return "tensor" in operand ? operand.tensor : operand;
}

function shaderCode(spec: KernelSpec): string {
  const params = Object.entries(spec.params).map(([name, type]) => `  ${name}: ${type},`);
  const bindings = spec.buffers.map(
    ({ name, access, element }, i) =>
      `@group(0) @binding(${i}) var<storage, ${access === "w" ? "read_write" : "read"}> ${name}: array<${element}>;`,
  );
  return `
struct Params {
  firstGroup: u32,
${params.join("\n")}
}
${bindings.join("\n")}
@group(0) @binding(${spec.buffers.length}) var<uniform> params: Params;
const THREADS = ${spec.threads}u;
${spec.code}
@compute @workgroup_size(${spec.threads})
fn main(@builtin(workgroup_id) at: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) lane: u32) {
  kernel(params.firstGroup + at.x + at.y * count.x, lane);
}
`;
}
