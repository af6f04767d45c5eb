/**
 * The environment in which npm's `webgpu` (Dawn) finds a software Vulkan driver in Node: a driver already
 * named by VK_ICD_FILENAMES, else Mesa's lavapipe if it is new enough, else the SwiftShader that comes
 * with Chromium; and a Vulkan loader, the system's or else Chromium's.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const LOADER = "libvulkan.so.1";
/** Dawn refuses lavapipe before Mesa 23; 25 is the first that passes all our kernels. */
const OLDEST_MESA = 25;

function lavapipe(): string | null {
  const folder = "/usr/share/vulkan/icd.d";
  if (!existsSync(folder)) return null;
  const manifest = readdirSync(folder).find((name) => /^lvp_icd.*\.json$/.test(name));
  if (!manifest) return null;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: `${Version}` is dpkg's own placeholder.
  const version = spawnSync("dpkg-query", ["-W", "-f=${Version}", "mesa-vulkan-drivers"], { encoding: "utf8" });
  const major = Number.parseInt(version.stdout ?? "", 10);
  return Number.isFinite(major) && major >= OLDEST_MESA ? join(folder, manifest) : null;
}

/** Folders that may hold Chromium's libraries: beside the binary, or where Debian's launcher script points. */
function chromiumFolders(browser: string): string[] {
  const real = realpathSync(browser);
  const folders = [dirname(real), "/usr/lib/chromium"];
  const head = readFileSync(real).subarray(0, 4096).toString("latin1");
  const match = head.startsWith("#!") ? /LIBDIR=(\S+)/.exec(head) : null;
  return match?.[1] ? [match[1], ...folders] : folders;
}

function systemLoader(): boolean {
  const cache = spawnSync("ldconfig", ["-p"], { encoding: "utf8" });
  return (cache.stdout ?? "").includes(LOADER);
}

/** Environment variables to add. Throws with what to install when no software driver can be found on Linux. */
export function softwareVulkan(browser: string): Record<string, string> {
  if (process.platform !== "linux") return {};
  const added: Record<string, string> = {};
  if (!process.env.XDG_RUNTIME_DIR) added.XDG_RUNTIME_DIR = tmpdir();
  const folders = chromiumFolders(browser);
  if (!process.env.VK_ICD_FILENAMES && !process.env.VK_DRIVER_FILES) {
    const swiftshader = folders
      .map((folder) => join(folder, "vk_swiftshader_icd.json"))
      .find((path) => existsSync(path));
    const driver = lavapipe() ?? swiftshader;
    if (!driver) {
      throw new Error(
        `No software Vulkan driver for the WebGPU tests: looked for lavapipe (Mesa ≥ ${OLDEST_MESA}) and for ` +
          `vk_swiftshader_icd.json in ${folders.join(", ")}. Install Debian's chromium, or set VK_ICD_FILENAMES.`,
      );
    }
    added.VK_ICD_FILENAMES = driver;
  }
  if (!systemLoader()) {
    const loader = folders.map((folder) => join(folder, LOADER)).find((path) => existsSync(path));
    if (!loader) throw new Error(`No Vulkan loader (${LOADER}): install Debian's libvulkan1.`);
    // A folder with the loader alone, so that nothing else of Chromium's shadows a system library.
    const folder = resolve("node_modules", ".cache", "vulkan-loader");
    mkdirSync(folder, { recursive: true });
    rmSync(join(folder, LOADER), { force: true });
    symlinkSync(loader, join(folder, LOADER));
    added.LD_LIBRARY_PATH = [folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  }
  return added;
}
