/**
 * Records our kernels into tfjs' current compute pass. A dispatch is (pipeline, bind group, slot of its parameters,
 * workgroup counts); everything but the parameters is cached, so that the host's share is a few map look-ups and one
 * `dispatchWorkgroups`. A listener sees every dispatch with what is needed to do it again (recorder.ts).
 *
 * The one-dimensional range of workgroups that a kernel is written for is spread over x and y (at most 65535
 * each) and cut where one dispatch would run too long.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { BackendCounters } from "../backend";
import type { DynamicOptions } from "../kernels";
import type { AdapterTraits } from "./device";
import type { Faults } from "./faults";
import type { KernelSpec, Operand } from "./kernelSpec";
import { ParameterRing, SLOT_BYTES, slotWords } from "./parameterRing";
import { type Kernel, Pipelines } from "./pipelines";
import type { Storage } from "./storage";
import type { BufferBinding, DataId, TfjsWebGpu } from "./tfjsWebGpu";

/** In the order of the kernel's params; as a function where options may change between replays. */
export type Params = readonly number[] | ((dynamicOptions: DynamicOptions) => readonly number[]);

export interface Dispatch {
  readonly kernel: Kernel;
  readonly bindings: readonly BufferBinding[];
  readonly bindGroup: GPUBindGroup;
  readonly params: Params;
  /** Contents of the parameters' slot. */
  readonly words: Uint32Array;
  readonly x: number;
  readonly y: number;
}

export interface DispatchListener {
  readonly dynamicOptions: DynamicOptions;
  /** @param owners the tensor data whose buffers are bound */
  dispatched(dispatch: Dispatch, owners: readonly DataId[]): void;
}

/**
 * What a kernel needs of the dispatcher: its code compiled once under a name, and run. The listing of generated code
 * (kernelListing.ts) stands in for the dispatcher where there is no device.
 */
export interface KernelDispatcher {
  readonly traits: AdapterTraits;
  /** Bytes of a weight that are bound at once; a larger one is worked through in blocks of rows. */
  readonly weightBindingBytes: number;
  /** Largest number of 4-byte elements that one binding of a kernel can hold. */
  readonly maxBoundElements: number;
  kernel(name: string, spec: () => KernelSpec): KernelHandle;
  run(kernel: KernelHandle, operands: readonly Operand[], params: Params, groups: number, work?: number): void;
}

/** A kernel as `KernelDispatcher.kernel` gave it, to be run by the same dispatcher. */
export type KernelHandle = Pick<Kernel, "name">;

const MAX_GROUPS_PER_DIMENSION = 65535;
const MAX_BIND_GROUPS_PER_KERNEL = 1024;

export class Dispatcher implements KernelDispatcher {
  listener: DispatchListener | null = null;
  /** Dispatches are omitted: the work runs only to allocate its memory (recorder.ts `reserve`). */
  idle = false;
  private readonly pipelines: Pipelines;
  private readonly ring: ParameterRing;
  private readonly bufferIds = new WeakMap<GPUBuffer, number>();
  private nextBufferId = 1;
  private readonly bindingLimit: number;
  private readonly dynamicOffset = [0];

  constructor(
    private readonly tfjs: TfjsWebGpu,
    private readonly storage: Storage,
    private readonly faults: Faults,
    private readonly counters: BackendCounters,
    readonly traits: AdapterTraits,
  ) {
    this.bindingLimit = tfjs.device.limits.maxStorageBufferBindingSize;
    this.pipelines = new Pipelines(tfjs.device);
    this.ring = new ParameterRing(tfjs.device);
  }

  /** The compiled kernel called `name`; `spec` is asked once. Everything baked into the code belongs in the name. */
  kernel(name: string, spec: () => KernelSpec): Kernel {
    return this.pipelines.kernel(name, spec);
  }

  /**
   * Record `groups` workgroups of a kernel; none if `groups` is 0.
   * @param operands in the order of the kernel's buffers
   * @param work floating-point operations of the whole range, to keep one dispatch short
   */
  run(kernel: Kernel, operands: readonly Operand[], params: Params, groups: number, work = 0): void {
    this.faults.check();
    if (groups === 0 || this.idle) return;
    if (operands.length !== kernel.buffers.length) {
      throw new Error(`Kernel ${kernel.name} binds ${kernel.buffers.length} buffers, got ${operands.length}.`);
    }
    const bindings = operands.map((operand) => this.binding(kernel, operand));
    const bindGroup = this.bindGroup(kernel, bindings);
    const pieces = Math.max(1, Math.ceil(work / this.traits.workPerDispatch));
    const piece = Math.ceil(groups / pieces);
    for (let first = 0; first < groups; first += piece) {
      for (const [start, x, y] of grid(first, Math.min(piece, groups - first))) {
        const words = slotWords(start, kernel.paramTypes, typeof params === "function" ? params({}) : params);
        const dispatch: Dispatch = { kernel, bindings, bindGroup, params, words, x, y };
        this.replay([dispatch]);
        this.listener?.dispatched(
          dispatch,
          operands.map((operand) => this.storage.ownerOf(tensorOf(operand).dataId)),
        );
      }
    }
    for (const operand of operands) this.storage.markUsed(tensorOf(operand).dataId);
    if (this.tfjs.internals.dispatchCountInPass >= this.traits.dispatchesPerSubmit) this.tfjs.submitRecorded();
  }

  /** Record dispatches into the current pass as they are; submit only when the ring of parameters is full. */
  replay(dispatches: readonly Dispatch[]): void {
    if (this.ring.left < dispatches.length) this.restartRing();
    const { internals } = this.tfjs;
    let pass = this.tfjs.computePass();
    let pipeline: GPUComputePipeline | null = null;
    for (const dispatch of dispatches) {
      if (this.ring.left === 0) {
        // more dispatches than slots
        this.restartRing();
        pass = this.tfjs.computePass();
        pipeline = null;
      }
      if (pipeline !== dispatch.kernel.pipeline) {
        pipeline = dispatch.kernel.pipeline;
        pass.setPipeline(pipeline);
      }
      this.dynamicOffset[0] = this.ring.fill(dispatch.words);
      pass.setBindGroup(0, dispatch.bindGroup, this.dynamicOffset);
      pass.dispatchWorkgroups(dispatch.x, dispatch.y);
      internals.dispatchCountInPass++;
    }
    this.counters.dispatches += dispatches.length;
  }

  /** Uploads the parameters of what is about to be submitted. */
  beforeSubmit(): void {
    this.ring.upload(this.tfjs.queue);
  }

  /** Buffers were destroyed: bind groups that hold them must go. */
  forgetBindGroups(): void {
    this.pipelines.forgetBindGroups();
  }

  /** Bytes of a weight that are bound at once; a larger one is worked through in blocks of rows. */
  get weightBindingBytes(): number {
    return Math.min(this.bindingLimit, this.traits.weightBindingBytes);
  }

  /** Largest number of 4-byte elements that one binding of a kernel can hold. */
  get maxBoundElements(): number {
    return Math.floor(this.bindingLimit / 4);
  }

  /** A kernel's bind group over these ranges, made or remembered. */
  bindGroup(kernel: Kernel, bindings: readonly BufferBinding[]): GPUBindGroup {
    let key = "";
    for (const { buffer, offset, size } of bindings) key += `${this.bufferId(buffer)}:${offset}:${size},`;
    const known = kernel.bindGroups.get(key);
    if (known) return known;
    refuseMixedUse(kernel, bindings);
    const entries: GPUBindGroupEntry[] = bindings.map((resource, binding) => ({ binding, resource }));
    entries.push({ binding: bindings.length, resource: { buffer: this.ring.buffer, offset: 0, size: SLOT_BYTES } });
    const made = this.tfjs.device.createBindGroup({ label: kernel.name, layout: kernel.layout, entries });
    if (kernel.bindGroups.size >= MAX_BIND_GROUPS_PER_KERNEL) kernel.bindGroups.clear();
    kernel.bindGroups.set(key, made);
    return made;
  }

  private restartRing(): void {
    this.tfjs.submitRecorded();
    this.ring.restart();
  }

  private binding(kernel: Kernel, operand: Operand): BufferBinding {
    let bound: BufferBinding;
    if ("tensor" in operand) {
      const whole = this.storage.binding(operand.tensor);
      bound = { buffer: whole.buffer, offset: whole.offset + 4 * operand.offset, size: Math.max(4, 4 * operand.size) };
    } else {
      bound = this.storage.binding(operand);
      // A buffer may be larger than its tensor, and only the tensor need be bound.
      if (bound.size > this.bindingLimit && 4 * operand.size <= this.bindingLimit)
        bound = { ...bound, size: 4 * operand.size };
    }
    if (bound.size > this.bindingLimit) {
      throw new Error(
        `Kernel ${kernel.name}: a tensor of ${bound.size} bytes is more than this adapter binds at once ` +
          `(${this.bindingLimit}). Use a packed weight format, fewer rollout slots or a smaller model.`,
      );
    }
    return bound;
  }

  private bufferId(buffer: GPUBuffer): number {
    let id = this.bufferIds.get(buffer);
    if (id === undefined) {
      id = this.nextBufferId++;
      this.bufferIds.set(buffer, id);
    }
    return id;
  }
}

function tensorOf(operand: Operand): Tensor {
  return "tensor" in operand ? operand.tensor : operand;
}

/** Workgroups [first, first + count) as dispatches [first, x, y]. */
function grid(first: number, count: number): (readonly [number, number, number])[] {
  if (count <= MAX_GROUPS_PER_DIMENSION) return [[first, count, 1]];
  const tall = Math.floor(count / MAX_GROUPS_PER_DIMENSION);
  const rest = count - tall * MAX_GROUPS_PER_DIMENSION;
  const whole = [first, MAX_GROUPS_PER_DIMENSION, tall] as const;
  return rest > 0 ? [whole, [first + count - rest, rest, 1]] : [whole];
}

/** WebGPU forbids one buffer both read-only and writable in one dispatch, even in disjoint ranges. */
function refuseMixedUse(kernel: Kernel, bindings: readonly BufferBinding[]): void {
  bindings.forEach((a, i) => {
    bindings.forEach((b, j) => {
      if (a.buffer === b.buffer && kernel.buffers[i]?.access === "w" && kernel.buffers[j]?.access === "r") {
        throw new Error(
          `Kernel ${kernel.name} would read and write one buffer (${kernel.buffers[j]?.name}, ` +
            `${kernel.buffers[i]?.name}).`,
        );
      }
    });
  });
}
