/**
 * Compiles the AssemblyScript kernels if they were not compiled from their present sources; with --always in any case.
 * Each binary gets a digest of the sources (sourceDigest.ts).
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endsWith, sourcesSection } from "./sourceDigest";

const BUILDS = { "kernels:plain": "kernels.wasm", "kernels:fused": "kernelsFused.wasm" } as const;

const section = sourcesSection();
for (const [script, name] of Object.entries(BUILDS)) {
  const target = join("src", "tensor", "wasm", name);
  const fresh = existsSync(target) && endsWith(readFileSync(target), section);
  if (fresh && !process.argv.includes("--always")) continue;
  const { status } = spawnSync("npm", ["run", "--silent", script], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
  appendFileSync(target, section);
}
