/**
 * The tests in three groups, told apart by a file's name. *.test.ts in src/ is a unit test, which can open neither WebGPU nor
 * a browser. *.gpu.test.ts computes on WebGPU in Node; *.slow.test.ts trains, or starts processes, for longer than a unit test
 * may: both are of the group "gpu". A file of e2e/ opens the page in Chromium.
 */
import { resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const NO_GPU = "a-unit-test-opens-no-gpu.json";
const forbidden = (name: string): string => resolve("testing", "forbidden", name);

export default defineConfig({
  plugins: [react()],
  test: {
    pool: "forks",
    maxWorkers: 2,
    reporters: ["default", "./testing/closingLine.ts"],
    projects: [
      {
        extends: true,
        resolve: { alias: { webgpu: forbidden("webgpu.ts"), "playwright-core": forbidden("playwright.ts") } },
        test: {
          name: "unit",
          include: ["src/**/*.test.{ts,tsx}"],
          exclude: ["**/*.gpu.test.ts", "**/*.slow.test.ts"],
          // For the processes that a test starts, which know nothing of the aliases above.
          env: { VK_ICD_FILENAMES: NO_GPU, VK_DRIVER_FILES: NO_GPU, SRPO_BROWSER: "a-unit-test-opens-no-browser" },
          testTimeout: 10_000,
          hookTimeout: 60_000,
          // Files share a process and what it has loaded: loading took two thirds of the time.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "gpu",
          include: ["src/**/*.gpu.test.ts", "src/**/*.slow.test.ts"],
          globalSetup: "./testing/softwareAdapter.ts",
          testTimeout: 240_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["e2e/**/*.test.ts"],
          globalSetup: "./testing/pageAndBrowser.ts",
          testTimeout: 240_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
