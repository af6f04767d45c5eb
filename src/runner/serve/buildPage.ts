/** Builds the page if there is no build yet, so that the commands that show it work from a clean clone. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** The folder that `npm run build` writes. */
export const BUILT_PAGE = "dist";

/** Its folder; built first if it is missing. */
export function builtPage(log: (line: string) => void): string {
  if (existsSync(join(BUILT_PAGE, "index.html"))) return BUILT_PAGE;
  log(`building the page: ${BUILT_PAGE}/ is missing …`);
  buildPage();
  return BUILT_PAGE;
}

/** `npm run build`; what it prints goes to stderr. @throws Error when it fails */
export function buildPage(): void {
  const { status } = spawnSync("npm", ["run", "--silent", "build"], {
    stdio: ["ignore", 2, 2],
    // A test's NODE_ENV would make it React's development build.
    env: { ...process.env, NODE_ENV: "production" },
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`The page could not be built: npm run build ended with ${status ?? "a signal"}.`);
}
