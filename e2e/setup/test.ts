/**
 * `npm test`: gets a browser and a software GPU, checks types, builds the kernels and the page,
 * and runs every test. Arguments go to vitest (`npm test -- src/srpo`).
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findOrInstallBrowser } from "./browser";
import { softwareVulkan } from "./vulkan";

function run(title: string, script: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  process.stderr.write(`\n— ${title}\n`);
  const result = spawnSync(process.execPath, [script, ...args], { stdio: "inherit", env });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

const bin = (path: string): string => join("node_modules", path);
const args = process.argv.slice(2);

try {
  const browser = findOrInstallBrowser();
  const env: NodeJS.ProcessEnv = { ...process.env, SRPO_BROWSER: browser, ...softwareVulkan(browser) };
  process.stderr.write(
    `Browser: ${browser}\nVulkan driver: ${env.VK_ICD_FILENAMES ?? env.VK_DRIVER_FILES ?? "the system's"}\n`,
  );
  if (args.length === 0) run("types", bin("typescript/bin/tsc"), ["--noEmit"], env);
  run("kernels", bin("tsx/dist/cli.mjs"), ["src/tensor/wasm/build.ts"], env);
  if (args.length === 0 || args.some((arg) => arg.startsWith("e2e")))
    run("page", bin("vite/bin/vite.js"), ["build", "--logLevel", "warn"], env);
  run("tests", bin("vitest/vitest.mjs"), ["run", ...args], env);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
