/**
 * Loaded before `srpo train` (--import): kills the process at a named point of its n-th change of a file, e.g.
 * SRPO_ATTACK_STOP=rename:before:3. Points: `write:half` (half of a file is written), `rename:before`, `rename:after`,
 * `append:before`.
 */
import fs from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { STOP_VARIABLE } from "./points";

const [what = "", when = "", text = ""] = (process.env[STOP_VARIABLE] ?? "").split(":");
let left = Number(text);

/** Whether this is the n-th time. */
const isNow = (kind: string): boolean => kind === what && --left === 0;
const end = (): never => {
  process.kill(process.pid, "SIGKILL");
  throw new Error("the process was killed");
};

const { rename, open, appendFile } = fs.promises;

Object.assign(fs.promises, {
  async rename(...args: Parameters<typeof rename>): Promise<void> {
    const now = isNow("rename");
    if (now && when === "before") end();
    await rename(...args);
    if (now) end();
  },
  async appendFile(...args: Parameters<typeof appendFile>): Promise<void> {
    if (isNow("append")) end();
    await appendFile(...args);
  },
  async open(...args: Parameters<typeof open>): Promise<FileHandle> {
    const handle = await open(...args);
    const writeFile = handle.writeFile.bind(handle);
    const half = async (data: unknown): Promise<void> => {
      const content = typeof data === "string" || data instanceof Uint8Array ? data : "";
      if (isNow("write")) {
        await writeFile(content.slice(0, content.length >> 1));
        await handle.sync();
        end();
      }
      await writeFile(content);
    };
    return Object.assign(handle, { writeFile: half });
  },
});
syncBuiltinESMExports();
