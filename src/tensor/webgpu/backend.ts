/**
 * The WebGPU backend: tfjs-backend-webgpu on a device of our own, and our WGSL kernels recorded into its
 * command stream. TensorFlow.js knows one backend of a name, so a process has one such backend at a time;
 * opening another one (after a loss, say) disposes of the one before.
 */
import {
  engine,
  findBackendFactory,
  registerBackend,
  removeBackend,
  setBackend,
  type Tensor,
} from "@tensorflow/tfjs-core";
import type { Backend, BackendCounters, BackendDescription, DataType, DeviceLostError, Recorder } from "../backend";
import { directRecorder } from "../directRecorder";
import type { Kernels } from "../kernels";
import { type AdapterTraits, adapterTraits, type OpenedDevice, openDevice } from "./device";
import { Dispatcher } from "./dispatch";
import { Faults } from "./faults";
import { webGpuKernels } from "./kernels";
import { type MatmulOption, MatmulVariants, plainVariant, uniformTable } from "./kernels/matmul/choice";
import type { FragmentSupport } from "./kernels/matmul/fragments";
import { type TuningStore, tuningIdentity } from "./kernels/matmul/tuningRecord";
import type { MatmulAdapter } from "./kernels/matmul/variant";
import { MatmulTiming } from "./matmulTiming";
import { Readback } from "./readback";
import { WebGpuRecorder } from "./recorder";
import { Storage, VIEW_ALIGNMENT } from "./storage";
import { TfjsWebGpu } from "./tfjsWebGpu";
import { type MatmulTuning, tuneMatmul } from "./tuneMatmul";

export interface WebGpuBackendOptions {
  /** Where adapters come from; `navigator.gpu` by default. In Node: `nodeGpu()` of ./node. */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
  /** Kernel variants for a GPU on a CPU adapter or the reverse; for tests and measurements. */
  readonly kernelsFor?: "software" | "gpu";
  /**
   * The matmul variant (kernels/matmul), or "tuned" to measure them. Default: broadcast or register tiles on CPU
   * adapters, and the tuner's choice on GPUs. The plain variant computes products that a variant does not support.
   */
  readonly matmul?: MatmulOption;
  /**
   * Where the tuner's choice is stored, and what it is valid for besides the adapter (browser or Node, and version);
   * not stored by default.
   */
  readonly tuning?: { readonly store: TuningStore; readonly environment: string };
  /** Subgroup matrices in another spelling than the device's, or emulated; for tests. */
  readonly fragments?: FragmentSupport;
  /** Maximum number of bytes of a weight in one binding, to imitate an adapter with a lower limit; for tests. */
  readonly weightBindingBytes?: number;
  /**
   * false: run every step's code again instead of replaying recorded steps; for tests and measurements. Default true.
   */
  readonly record?: boolean;
}

let current: WebGpuBackend | null = null;

/** @throws Error that says what is missing, when there is no WebGPU, no adapter or no device */
export async function openWebGpuBackend(options: WebGpuBackendOptions = {}): Promise<WebGpuBackend> {
  const gpu = options.gpu ?? globalThis.navigator?.gpu;
  if (!gpu) {
    throw new Error(
      "This environment has no WebGPU (navigator.gpu is missing). Browsers need a secure context (https or " +
        "localhost) and a version with WebGPU.",
    );
  }
  const opened = await openDevice(gpu, options.powerPreference ?? "high-performance");
  const traits = await orClose(opened.device, async () => traitsFor(opened, options));
  await current?.dispose();
  const tfjs = new TfjsWebGpu(opened.device, opened.info);
  const backend = new WebGpuBackend({ ...opened, traits }, tfjs, options.record ?? true);
  current = backend;
  if (findBackendFactory("webgpu")) removeBackend("webgpu");
  registerBackend("webgpu", () => tfjs);
  if (!(await setBackend("webgpu"))) throw new Error("TensorFlow.js refused the WebGPU backend.");
  if (isTuned(options, opened)) {
    try {
      await backend.tuneMatmul(options.tuning ?? null);
    } catch (error) {
      await backend.dispose();
      throw error;
    }
  }
  return backend;
}

/** A variant that is named is used as it is; so are the kernels of another kind of adapter. */
function isTuned({ matmul, kernelsFor }: WebGpuBackendOptions, { traits }: OpenedDevice): boolean {
  return matmul === "tuned" || (matmul === undefined && kernelsFor === undefined && !traits.software);
}

/** @throws Error when the requested matmul variant cannot run, naming what the adapter lacks */
function traitsFor(
  { traits }: OpenedDevice,
  { kernelsFor, matmul, fragments, weightBindingBytes }: WebGpuBackendOptions,
): AdapterTraits {
  const { adapter } = traits.matmul;
  const kind = kernelsFor ? adapterTraits(kernelsFor === "software", adapter) : traits;
  const offer: MatmulAdapter = { ...adapter, software: kind.software, fragments: fragments ?? adapter.fragments };
  return {
    ...kind,
    matmul: new MatmulVariants(
      offer,
      uniformTable(matmul === undefined || matmul === "tuned" ? plainVariant(offer) : matmul),
    ),
    ...(weightBindingBytes === undefined ? {} : { weightBindingBytes }),
  };
}

/** `work`, and no device left behind when it fails. */
async function orClose<T>(device: GPUDevice, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    device.destroy();
    throw error;
  }
}

export class WebGpuBackend implements Backend {
  readonly name = "webgpu";
  readonly kernels: Kernels;
  /** Dispatches and submits include those of stock tf.* operations; bytes are those of tensors. */
  readonly counters: BackendCounters = { dispatches: 0, submits: 0, readbacks: 0, bytesUploaded: 0, bytesRead: 0 };
  readonly viewAlignment = VIEW_ALIGNMENT;
  readonly lost: Promise<DeviceLostError>;
  readonly device: GPUDevice;
  /** For kernels and benchmarks of our own; code outside src/tensor uses `kernels`. */
  readonly dispatcher: Dispatcher;
  private readonly storage: Storage;
  private readonly readback: Readback;
  private readonly faults: Faults;
  private tuned: MatmulTuning | null = null;
  private disposed = false;
  private recorders = 0;

  constructor(
    private readonly opened: OpenedDevice,
    private readonly tfjs: TfjsWebGpu,
    readonly records: boolean,
  ) {
    this.device = opened.device;
    this.faults = new Faults(opened.device);
    this.lost = this.faults.lost;
    this.storage = new Storage(tfjs, this.counters);
    this.dispatcher = new Dispatcher(tfjs, this.storage, this.faults, this.counters, opened.traits);
    this.readback = new Readback(tfjs, this.faults, this.counters);
    this.kernels = webGpuKernels(this.dispatcher, this.storage);
    TfjsWebGpu.setDispatchesPerSubmit(opened.traits.dispatchesPerSubmit);
    tfjs.install({
      beforeSubmit: () => this.dispatcher.beforeSubmit(),
      afterSubmit: () => {
        this.counters.submits++;
        if (this.storage.trim() > 0) this.dispatcher.forgetBindGroups();
      },
      stockDispatch: () => {
        if (this.storage.recording)
          throw new Error("A stock TensorFlow.js operation cannot be recorded; use the backend's kernels.");
        this.counters.dispatches++;
      },
      disposing: (id) => this.storage.arena.giveBack(id),
      bindingOf: (id) => this.storage.bindingOf(id),
      read: async (id) => {
        const { dtype, shape } = tfjs.internals.tensorMap.get(id);
        const size = shape.reduce((product, extent) => product * extent, 1);
        const [values] = await this.readback.read([
          { binding: this.storage.bindingOf(id), size, integer: dtype !== "float32" },
        ]);
        if (!values) throw new Error("The read-back returned nothing.");
        return values;
      },
    });
  }

  get description(): BackendDescription {
    const { matmul } = this.opened.traits;
    return {
      ...this.opened.description,
      matmul: matmul.describe(),
      ...(matmul.roundsF32 ? { f16Matmul: true } : {}),
    };
  }

  /** How the matmul variants were chosen; null if none was measured. */
  get matmulTuning(): MatmulTuning | null {
    return this.tuned;
  }

  /**
   * Measures the matmul variants, or loads the stored choice, and uses the fastest from here on. Call before any other
   * work.
   */
  async tuneMatmul(tuning: WebGpuBackendOptions["tuning"] | null): Promise<void> {
    const {
      info,
      traits: { matmul },
    } = this.opened;
    const now = (): number => performance.now();
    const timing = new MatmulTiming(this, this.device, this.dispatcher, matmul.adapter, now);
    try {
      const identity = tuningIdentity(info, matmul.adapter, tuning?.environment ?? "");
      this.tuned = await tuneMatmul({
        adapter: matmul.adapter,
        identity,
        store: tuning?.store ?? null,
        timing,
        now,
      });
    } finally {
      timing.dispose();
    }
    matmul.adopt(this.tuned.table);
  }

  zeros(shape: readonly number[], dtype: DataType = "float32"): Tensor {
    this.faults.check();
    if (!this.storage.recording) return this.storage.zeros(shape, dtype);
    const tensor = this.storage.allocate(shape, dtype);
    this.kernels.fill(tensor, 0); // a dispatch, so that it is replayed
    return tensor;
  }

  upload(values: Float32Array | Int32Array, shape: readonly number[], capacity = 0): Tensor {
    this.faults.check();
    this.refuseWhileRecording("upload");
    return this.storage.upload(values, shape, capacity);
  }

  write(tensor: Tensor, values: Float32Array | Int32Array, offset = 0): void {
    this.faults.check();
    this.refuseWhileRecording("write");
    this.storage.write(tensor, values, offset);
  }

  view(flat: Tensor, offset: number, shape: readonly number[]): Tensor {
    return this.storage.view(flat, offset, shape);
  }

  async read(tensors: readonly Tensor[]): Promise<(Float32Array | Int32Array)[]> {
    this.refuseWhileRecording("read");
    return this.readback.read(
      tensors.map((tensor) => ({
        binding: this.storage.binding(tensor),
        size: tensor.size,
        integer: tensor.dtype !== "float32",
      })),
    );
  }

  recorder(kept: number): Recorder {
    if (!this.records) return directRecorder;
    this.recorders++;
    return new WebGpuRecorder(this.storage, this.dispatcher, this.faults, kept, () => {
      this.recorders--;
      if (this.recorders > 0 || this.disposed) return;
      this.tfjs.submitRecorded();
      this.storage.arena.clear();
    });
  }

  flush(): void {
    this.tfjs.submitRecorded();
  }

  memoryBytes(): number {
    return this.storage.bytes();
  }

  private refuseWhileRecording(what: string): void {
    if (this.storage.recording)
      throw new Error(
        `${what} inside recorded work would be left out of its replays: make the tensor before, and name it ` +
          "among the inputs.",
      );
  }

  /** Destroys the device as a driver reset would: `lost` settles and reads reject. For tests and drills. */
  loseDevice(): void {
    this.device.destroy();
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    this.faults.expectClose();
    if (current === this) current = null;
    if (engine().registry.webgpu === this.tfjs) removeBackend("webgpu");
    this.readback.destroy();
    this.device.destroy();
    await this.device.lost;
  }
}
