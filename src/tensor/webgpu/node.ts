/**
 * WebGPU for Node, from Dawn's npm package `webgpu`. Node only: a page must never bundle this file.
 * Dawn speaks to Vulkan, so a Vulkan driver is looked for: the one VK_ICD_FILENAMES names, else a real
 * GPU's system driver, else Mesa's lavapipe (25 or newer; Dawn refuses older), else the SwiftShader that Chromium
 * carries.
 */
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { openWebGpuBackend, type WebGpuBackend, type WebGpuBackendOptions } from "./backend";
import { pauseWhileWaiting } from "./polling";
import { fileTuningStore } from "./tuningFile";

const SYSTEM_DRIVERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
const CHROMIUM_FOLDERS = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/opt/google/chrome",
  "/opt/chromium.org/chromium",
];

const HOW_TO_INSTALL =
  "Install a Vulkan driver: that of your GPU, or Mesa's lavapipe (Debian and Ubuntu: mesa-vulkan-drivers, " +
  "version 25 or newer), or Chromium, which carries SwiftShader (Debian: apt install chromium; elsewhere: npx " +
  "playwright-core install chromium).";

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
  process.env.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), "runtime-"));
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  pauseWhileWaiting();
  if (process.platform === "linux" && !process.env.VK_ICD_FILENAMES && !process.env.VK_DRIVER_FILES) {
    await chooseDriver(create);
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
  const system = SYSTEM_DRIVERS.flatMap((folder) => driversIn(folder));
  const lavapipe = system.filter((file) => /lvp_icd/.test(file));
  const hardware = system.filter((file) => !/lvp_icd/.test(file));
  const candidates = [...(hardware.length > 0 ? [hardware.join(":")] : []), ...lavapipe, ...swiftShaders()];
  const tried: string[] = [];
  for (const candidate of candidates) {
    process.env.VK_ICD_FILENAMES = candidate;
    const adapter = await create([]).requestAdapter();
    if (adapter) return;
    tried.push(candidate);
  }
  delete process.env.VK_ICD_FILENAMES;
  const found =
    tried.length > 0
      ? `None of the Vulkan drivers found here gives an adapter (${tried.join(", ")}).`
      : "No Vulkan driver was found.";
  throw new Error(`WebGPU in Node needs Vulkan. ${found} ${HOW_TO_INSTALL}`);
}

function driversIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(folder, name));
}

/** SwiftShader's driver files of installed Chromiums: Debian's, Google's, Playwright's. */
function swiftShaders(): string[] {
  const cache = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache", "ms-playwright");
  const playwright = existsSync(cache)
    ? readdirSync(cache)
        .filter((name) => name.startsWith("chromium"))
        .flatMap((name) => ["chrome-linux", "chrome-linux64"].map((folder) => join(cache, name, folder)))
    : [];
  return [...CHROMIUM_FOLDERS, ...playwright]
    .map((folder) => join(folder, "vk_swiftshader_icd.json"))
    .filter((file) => existsSync(file));
}
