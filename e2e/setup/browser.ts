/**
 * A Chromium to test with: the one named by SRPO_BROWSER, else the system's, else Debian's package
 * where it may be installed, else Playwright's own download.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "microsoft-edge"];
const APPLICATIONS = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not ours to run: the next candidate is tried
  }
}

function systemBrowser(): string | null {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = [...NAMES.flatMap((name) => folders.map((folder) => join(folder, name))), ...APPLICATIONS];
  return candidates.find((path) => executable(path)) ?? null;
}

function installFromDebian(): boolean {
  if (process.getuid?.() !== 0 || spawnSync("apt-get", ["--version"]).status !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  process.stderr.write("No browser found: installing Debian's chromium …\n");
  const install = (): boolean =>
    spawnSync("apt-get", ["install", "-y", "--no-install-recommends", "chromium"], { env, stdio: "ignore" }).status ===
    0;
  if (install()) return true;
  spawnSync("apt-get", ["update"], { env, stdio: "ignore" });
  return install();
}

/** Path of a Chromium that can be started. Throws with what to do when none can be had. */
export function findOrInstallBrowser(): string {
  const named = process.env.SRPO_BROWSER;
  if (named) {
    if (!executable(named))
      throw new Error(
        `SRPO_BROWSER is "${named}", which cannot be executed. Point it at a Chromium binary, or unset it.`,
      );
    return named;
  }
  const system = systemBrowser();
  if (system) return system;
  if (installFromDebian()) {
    const installed = systemBrowser();
    if (installed) return installed;
  }
  if (!existsSync(chromium.executablePath())) {
    process.stderr.write("No browser found: downloading Playwright's Chromium …\n");
    execFileSync(process.execPath, [join("node_modules", "playwright-core", "cli.js"), "install", "chromium"], {
      stdio: "inherit",
    });
  }
  if (!existsSync(chromium.executablePath())) {
    throw new Error(
      "No Chromium for the tests: none on PATH, Debian's package could not be installed and the download failed. " +
        "Install Chromium or Chrome, or set SRPO_BROWSER to its path.",
    );
  }
  return chromium.executablePath();
}

/** Flags for a headless Chromium that keeps to itself, with real WebGPU on SwiftShader (or without WebGPU at all). */
export function browserFlags(webgpu: boolean): string[] {
  return [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...(webgpu
      ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
      : ["--disable-features=WebGPU", "--disable-gpu"]),
  ];
}
