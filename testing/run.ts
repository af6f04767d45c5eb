/** `npm test`: types, format and lint, then every test. With arguments: the tests they name (`npm test -- src/srpo`). */
import { spawnSync } from "node:child_process";

function run(title: string, command: string, args: readonly string[]): void {
  process.stderr.write(`\n— ${title}\n`);
  const { status } = spawnSync(command, args, { stdio: "inherit", shell: process.platform === "win32" });
  if (status !== 0) process.exit(status ?? 1);
}

const args = process.argv.slice(2);
if (args.length === 0) run("types, format and lint", "npm", ["run", "--silent", "check"]);
run("tests", process.execPath, ["node_modules/vitest/vitest.mjs", "run", ...args]);
