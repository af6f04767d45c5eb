/**
 * Vulkan for Dawn on Linux, in Node only: a loader (libvulkan.so.1) and a driver. The system's come first; a machine
 * without them uses those that a Chromium carries, whose driver is SwiftShader, a Vulkan that computes on the CPU.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
} from "node:fs";
import { homedir, constants as osConstants } from "node:os";
import { delimiter, dirname, join } from "node:path";

const LOADER = "libvulkan.so.1";
/** glibc's flag that keeps a library in the process after dlclose; Node does not list it. */
const RTLD_NODELETE = 0x1000;

const BROWSER_NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const CHROMIUM_FOLDERS = [
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/opt/google/chrome",
  "/opt/chromium.org/chromium",
];

/** Dawn refuses Mesa's lavapipe before version 23; 25 is the first that passes all our kernels. */
export const OLDEST_MESA = 25;

/** Mesa's major version where the adapter is lavapipe, which says "llvmpipe: Mesa 25.0.7 (LLVM 19.1.7)"; else null. */
export function lavapipeVersion({ description }: GPUAdapterInfo): number | null {
  const major = /^llvmpipe: Mesa (\d+)\./.exec(description)?.[1];
  return major === undefined ? null : Number(major);
}

/** Manifests of Vulkan drivers, in the order in which they are tried. */
export interface VulkanDrivers {
  /** Drivers of real GPUs. */
  readonly hardware: readonly string[];
  /** Mesa's driver that computes on the CPU. */
  readonly lavapipe: readonly string[];
  readonly swiftShader: readonly string[];
}

/** @param browser path of a Chromium whose SwiftShader comes before that of others */
export function vulkanDrivers(browser?: string): VulkanDrivers {
  const system = manifestFolders().flatMap((folder) => manifestsIn(folder));
  const isLavapipe = (file: string): boolean => /lvp_icd/.test(file);
  return {
    hardware: system.filter((file) => !isLavapipe(file)),
    lavapipe: system.filter(isLavapipe),
    swiftShader: existing(chromiumFolders(browser).map((folder) => join(folder, "vk_swiftshader_icd.json"))),
  };
}

/**
 * Makes sure that Dawn finds a Vulkan loader. Dawn asks for libvulkan.so.1 by its bare name. Where the system has none,
 * a Chromium's is loaded by its path before Dawn asks: the dynamic linker then answers with the library in memory. (It
 * reads LD_LIBRARY_PATH only when a process starts, so setting that here would come too late.)
 */
export function loadVulkan(): void {
  for (const path of [LOADER, ...existing(chromiumFolders().map((folder) => join(folder, LOADER)))]) {
    keepInMemory(path);
    if (readFileSync("/proc/self/maps", "utf8").includes("/libvulkan.so")) return;
  }
}

/** Loads a library that is not a Node addon: Node throws an error, but the library stays loaded. */
function keepInMemory(path: string): void {
  try {
    process.dlopen({ exports: {} }, path, osConstants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch (error) {
    // Expected for a missing library and for one that was loaded: the caller checks which.
    if (!(error instanceof Error && "code" in error && error.code === "ERR_DLOPEN_FAILED")) throw error;
  }
}

/** Where the Vulkan loader itself looks. */
function manifestFolders(): readonly string[] {
  const data = process.env.XDG_DATA_DIRS || "/usr/local/share:/usr/share";
  return [...new Set(["/usr/share", "/etc", "/usr/local/share", ...data.split(delimiter)])].map((folder) =>
    join(folder, "vulkan", "icd.d"),
  );
}

function manifestsIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(folder, name));
}

/**
 * Folders that hold the libraries of installed Chromiums: a named one, those on PATH, Debian's, Google's, Playwright's.
 */
function chromiumFolders(browser = process.env.SRPO_BROWSER): readonly string[] {
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .flatMap((folder) => BROWSER_NAMES.map((name) => join(folder, name)));
  const cache = process.env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache", "ms-playwright");
  const playwright = existsSync(cache)
    ? readdirSync(cache)
        .filter((name) => name.startsWith("chromium"))
        .flatMap((name) => ["chrome-linux", "chrome-linux64"].map((folder) => join(cache, name, folder)))
    : [];
  return [
    ...new Set([
      ...[...(browser ? [browser] : []), ...onPath].filter(isReadable).flatMap(librariesOf),
      ...CHROMIUM_FOLDERS,
      ...playwright,
    ]),
  ];
}

/** Beside the binary, or where Debian's launcher script points. */
function librariesOf(browser: string): string[] {
  const binary = realpathSync(browser);
  const file = openSync(binary, "r");
  const head = Buffer.alloc(4096);
  const start = head.toString("latin1", 0, readSync(file, head));
  closeSync(file);
  const scripted = start.startsWith("#!") ? /LIBDIR=(\S+)/.exec(start)?.[1] : undefined;
  return [...(scripted ? [scripted] : []), dirname(binary)];
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false; // missing or unreadable: not a candidate
  }
}

const existing = (paths: readonly string[]): readonly string[] => paths.filter((path) => existsSync(path));
