/**
 * `npm run test:lavapipe`: the group "gpu" on Mesa's lavapipe instead of SwiftShader: it has features that SwiftShader lacks.
 * Arguments go to vitest.
 */
import { spawnSync } from "node:child_process";
import { lavapipeVersion, loadVulkan, OLDEST_MESA, vulkanDrivers } from "../src/tensor/webgpu/vulkan";

const INSTALL =
  "Install mesa-vulkan-drivers (Debian 13, Ubuntu 25.04, Fedora 42 or newer have it, Debian 12 in bookworm-backports), " +
  "or run npm run test:gpu.";

/** The manifest of a lavapipe that is new enough. @throws Error that says what to install */
async function lavapipe(): Promise<string> {
  const [manifest] = vulkanDrivers().lavapipe;
  if (manifest === undefined)
    throw new Error(`Mesa's lavapipe is not installed: no lvp_icd*.json in the folders of Vulkan drivers. ${INSTALL}`);
  process.env.VK_ICD_FILENAMES = manifest;
  delete process.env.VK_DRIVER_FILES;
  loadVulkan();
  const { create } = await import("webgpu");
  const adapter = await create([]).requestAdapter();
  const version = adapter === null ? null : lavapipeVersion(adapter.info);
  if (version === null || version < OLDEST_MESA)
    throw new Error(
      `${manifest} ${version === null ? "gives Dawn no adapter" : `is of Mesa ${version}`}, ` +
        `expected Mesa ${OLDEST_MESA} or newer. ${INSTALL}`,
    );
  return manifest;
}

try {
  const manifest = await lavapipe();
  // A newer loader reads the second, and then not the first.
  const env = { ...process.env, VK_ICD_FILENAMES: manifest, VK_DRIVER_FILES: manifest };
  const args = ["node_modules/vitest/vitest.mjs", "run", "--project", "gpu", ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit", env }).status ?? 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
