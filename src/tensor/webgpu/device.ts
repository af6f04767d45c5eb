/**
 * Asks an adapter for the largest device that is useful to us: every limit below at the adapter's own
 * value, every optional feature only where the adapter offers it (requesting a missing one rejects).
 */
import type { BackendDescription } from "../backend";
import { MatmulVariants, plainVariant, uniformTable } from "./kernels/matmul/choice";
import { FRAGMENT_FEATURE, type FragmentSupport, fragmentConfigs, fragmentDialect } from "./kernels/matmul/fragments";
import type { MatmulAdapter } from "./kernels/matmul/variant";

/** Limits worth raising; all are "higher is better" limits of WebGPU §3.6.2. */
const RAISED_LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

const OPTIONAL_FEATURES: readonly string[] = ["shader-f16", "subgroups", "timestamp-query", FRAGMENT_FEATURE];

/** Traits that select kernel variants; a CPU adapter differs from a GPU in kind, not only in numbers. */
export interface AdapterTraits {
  /** SwiftShader, llvmpipe, WARP: no workgroup memory, small workgroups, few barriers. */
  readonly software: boolean;
  /**
   * Invocations that share one row in row reductions (sampling; norms and log-probabilities, where a workgroup cannot
   * be one subgroup).
   */
  readonly rowThreads: number;
  /** Invocations of an elementwise workgroup. */
  readonly elementThreads: number;
  /** Floating-point operations that one dispatch may hold: about 50 ms on the slowest adapter of the kind. */
  readonly workPerDispatch: number;
  /** Number of recorded dispatches after which they are submitted without being flushed. */
  readonly dispatchesPerSubmit: number;
  /** Maximum number of bytes of a weight in one binding, unless the device's own limit is lower. */
  readonly weightBindingBytes: number;
  /** Which variant computes which matrix product. */
  readonly matmul: MatmulVariants;
}

export interface OpenedDevice {
  readonly device: GPUDevice;
  readonly info: GPUAdapterInfo;
  readonly description: BackendDescription;
  readonly traits: AdapterTraits;
}

/**
 * @param gpu the entry point: `navigator.gpu` in a page or worker, `create([…])` of npm `webgpu` in Node
 * @throws Error naming what is missing, when there is no adapter or the device is refused
 */
export async function openDevice(gpu: GPU, powerPreference: GPUPowerPreference): Promise<OpenedDevice> {
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new Error(
      "WebGPU offers no adapter: requestAdapter() returned null. In a browser check that hardware acceleration " +
        "is on; in Node check that a Vulkan driver is installed.",
    );
  }
  const requiredLimits: Record<string, number> = {};
  for (const limit of RAISED_LIMITS) {
    const value = adapter.limits[limit];
    // A browser older than the limit reports undefined; asking for it would reject the device.
    if (typeof value === "number") requiredLimits[limit] = value;
  }
  // The list of names in the types lags behind experimental features.
  const requiredFeatures = OPTIONAL_FEATURES.filter((feature) => adapter.features.has(feature)).map(
    (feature) => feature as GPUFeatureName,
  );
  const device = await adapter.requestDevice({ label: "backend", requiredFeatures, requiredLimits });
  const info = adapter.info;
  const software = isSoftware(info);
  const matmul: MatmulAdapter = {
    software,
    features: new Set(requiredFeatures),
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    subgroupIndex: gpu.wgslLanguageFeatures.has("subgroup_id"),
    workgroupBytes: device.limits.maxComputeWorkgroupStorageSize,
    fragments: await fragmentSupport(device, info),
  };
  return {
    device,
    info,
    description: { name: "webgpu", adapter: adapterLabel(info, software), features: requiredFeatures },
    traits: adapterTraits(software, matmul),
  };
}

async function fragmentSupport(device: GPUDevice, info: GPUAdapterInfo): Promise<FragmentSupport | null> {
  if (!device.features.has(FRAGMENT_FEATURE)) return null;
  const dialect = await fragmentDialect(device);
  return dialect === null ? null : { configs: fragmentConfigs(info), dialect };
}

/** What an adapter can hold, without opening a device on it. */
export interface AdapterLimits {
  readonly adapter: string;
  /** Largest buffer, in bytes: no tensor can be larger. */
  readonly bufferBytes: number;
  /** Largest part of a buffer that one kernel binds; larger weights are worked through in blocks of rows. */
  readonly bindingBytes: number;
  /** It computes on the CPU: its memory is the host's. */
  readonly software: boolean;
}

/** @throws Error when there is no adapter */
export async function adapterLimits(gpu: GPU): Promise<AdapterLimits> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("WebGPU offers no adapter: requestAdapter() returned null.");
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const software = isSoftware(adapter.info);
  return {
    adapter: adapterLabel(adapter.info, software),
    software,
    bufferBytes: maxBufferSize,
    bindingBytes: maxStorageBufferBindingSize,
  };
}

/**
 * What is chosen for an adapter by its kind alone.
 * @param offered what it offers to matmuls; by default, nothing optional
 */
export function adapterTraits(
  software: boolean,
  offered: Omit<MatmulAdapter, "software"> = PLAIN_ADAPTER,
): AdapterTraits {
  const adapter = { ...offered, software };
  const matmul = new MatmulVariants(adapter, uniformTable(plainVariant(adapter)));
  return software
    ? {
        software,
        rowThreads: 8,
        elementThreads: 64,
        workPerDispatch: 1e9,
        dispatchesPerSubmit: 64,
        weightBindingBytes: Infinity,
        matmul,
      }
    : {
        software,
        rowThreads: 64,
        elementThreads: 128,
        workPerDispatch: 1e10,
        dispatchesPerSubmit: 64,
        weightBindingBytes: Infinity,
        matmul,
      };
}

const PLAIN_ADAPTER: Omit<MatmulAdapter, "software"> = {
  features: new Set(),
  subgroupMinSize: 0,
  subgroupMaxSize: 0,
  subgroupIndex: false,
  workgroupBytes: 16384,
  fragments: null,
};

function isSoftware(info: GPUAdapterInfo): boolean {
  const words = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter === true || /swiftshader|llvmpipe|lavapipe|basic render|\bwarp\b/i.test(words);
}

/** "NVIDIA Ada", "SwiftShader (CPU)": as much as the browser tells, in reading order. */
function adapterLabel(info: GPUAdapterInfo, software: boolean): string {
  if (software) {
    const words = `${info.architecture} ${info.device} ${info.description}`;
    if (/swiftshader/i.test(words)) return "SwiftShader (CPU)";
    if (/llvmpipe|lavapipe/i.test(words)) return "lavapipe (CPU)";
    return `${info.description || info.vendor || "software adapter"} (CPU)`;
  }
  const parts = [info.vendor, info.architecture].filter((part) => part !== "");
  if (info.description !== "") return info.description;
  return parts.length > 0 ? parts.join(" ") : "GPU";
}
