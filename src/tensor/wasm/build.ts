/** Compiles the AssemblyScript kernels when their sources are newer than what was built. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const folder = join("src", "tensor", "wasm", "assembly");
const target = join("src", "tensor", "wasm", "kernels.wasm");
const newest = Math.max(statSync("package.json").mtimeMs, ...readdirSync(folder).map((name) => statSync(join(folder, name)).mtimeMs));
if (!existsSync(target) || statSync(target).mtimeMs < newest) {
  const result = spawnSync("npm", ["run", "--silent", "kernels"], { stdio: "inherit", shell: process.platform === "win32" });
  process.exit(result.status ?? 1);
}
