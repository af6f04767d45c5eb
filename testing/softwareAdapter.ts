/**
 * Before the tests on WebGPU in Node: on Linux they run on the SwiftShader that a Chromium carries, the same adapter on every
 * machine, unless VK_ICD_FILENAMES or VK_DRIVER_FILES names another Vulkan driver.
 */
import { findOrInstallBrowser } from "../e2e/setup/browser";
import { vulkanDrivers } from "../src/tensor/webgpu/vulkan";

export default function setup(): void {
  if (process.platform !== "linux") return;
  const named = process.env.VK_ICD_FILENAMES ?? process.env.VK_DRIVER_FILES;
  if (named === undefined) process.env.VK_ICD_FILENAMES = swiftShader(findOrInstallBrowser());
  process.stderr.write(`Vulkan driver: ${named ?? process.env.VK_ICD_FILENAMES}\n`);
}

function swiftShader(browser: string): string {
  const [manifest] = vulkanDrivers(browser).swiftShader;
  if (manifest === undefined)
    throw new Error(
      `No vk_swiftshader_icd.json beside ${browser} or in another Chromium: run \`npx playwright-core install chromium\`, ` +
        "or set VK_ICD_FILENAMES to the manifest of a Vulkan driver.",
    );
  process.env.SRPO_BROWSER = browser;
  return manifest;
}
