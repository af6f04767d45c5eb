/**
 * WebGPU for Node, from Dawn's npm package `webgpu`. Node only: a page must never bundle this file.
 * On Linux Dawn speaks to Vulkan (vulkan.ts). Its driver is the one that VK_ICD_FILENAMES or VK_DRIVER_FILES names,
 * else a real GPU's, else Mesa's lavapipe from version 25 on, else the SwiftShader that a Chromium carries.
 */
import { tmpdir } from "node:os";
import { openWebGpuBackend, type WebGpuBackend, type WebGpuBackendOptions } from "./backend";
import { pauseWhileWaiting } from "./polling";
import { fileTuningStore } from "./tuningFile";
import { lavapipeVersion, loadVulkan, OLDEST_MESA, vulkanDrivers } from "./vulkan";

const HOW_TO_INSTALL =
  "Install a Vulkan driver: that of your GPU, or Mesa's lavapipe (Debian and Ubuntu: mesa-vulkan-drivers, " +
  "version 25 or " +
  "newer), or Chromium, which carries SwiftShader (Debian: apt install chromium; elsewhere: npx playwright-core " +
  "install chromium).";

let gpu: Promise<GPU> | null = null;

/** Dawn's entry point, made once a process; also sets the globals and `navigator.gpu` that TensorFlow.js looks for. */
export function nodeGpu(): Promise<GPU> {
  gpu ??= createGpu();
  return gpu;
}

/**
 * What Dawn hides unless asked: features that are not standard yet (subgroup matrices), and f16 on NVIDIA's driver. The
 * kernels use f16 for weights only.
 */
const TOGGLES = ["enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia"];

/**
 * `openWebGpuBackend` on Node's own GPU; the tuner's choice is kept in the user's cache folder.
 * @throws Error that says which driver to install
 */
export async function openNodeWebGpuBackend(options: Omit<WebGpuBackendOptions, "gpu"> = {}): Promise<WebGpuBackend> {
  const tuning = { store: fileTuningStore(), environment: `Node ${process.version}` };
  return openWebGpuBackend({ tuning, ...options, gpu: await nodeGpu() });
}

async function createGpu(): Promise<GPU> {
  process.env.XDG_RUNTIME_DIR ??= tmpdir();
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  pauseWhileWaiting();
  if (process.platform === "linux") {
    loadVulkan();
    if (!process.env.VK_ICD_FILENAMES && !process.env.VK_DRIVER_FILES) await chooseDriver(create);
  }
  const made = create(TOGGLES);
  // Node has a `navigator` from version 21 on.
  if (globalThis.navigator === undefined)
    Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, "gpu", { value: made, configurable: true });
  return made;
}

/** Sets VK_ICD_FILENAMES for the first driver that gives an adapter, real GPUs first. */
async function chooseDriver(create: (options: string[]) => GPU): Promise<void> {
  const { hardware, lavapipe, swiftShader } = vulkanDrivers();
  const candidates = [...(hardware.length > 0 ? [hardware.join(":")] : []), ...lavapipe, ...swiftShader];
  const tried: string[] = [];
  for (const candidate of candidates) {
    process.env.VK_ICD_FILENAMES = candidate;
    const adapter = await create([]).requestAdapter();
    if (adapter !== null && (lavapipeVersion(adapter.info) ?? OLDEST_MESA) >= OLDEST_MESA) return;
    tried.push(candidate);
  }
  delete process.env.VK_ICD_FILENAMES;
  const found =
    tried.length > 0
      ? `None of the Vulkan drivers found here gives an adapter that passes (${tried.join(", ")}).`
      : "No Vulkan driver was found.";
  throw new Error(`WebGPU in Node needs Vulkan. ${found} ${HOW_TO_INSTALL}`);
}
