/** Compiles the AssemblyScript kernels when their sources are newer than what was built. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const folder = join("src", "tensor", "wasm", "assembly");
const targets = ["kernels.wasm", "kernelsFused.wasm"].map((name) => join("src", "tensor", "wasm", name));
const newest = Math.max(
  statSync("package.json").mtimeMs,
  ...readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs),
);
if (targets.some((target) => !existsSync(target) || statSync(target).mtimeMs < newest)) {
  const result = spawnSync("npm", ["run", "--silent", "kernels"], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  process.exit(result.status ?? 1);
}
