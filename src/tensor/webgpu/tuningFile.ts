/** The tuner's record as a file in the user's cache folder. Node only: a page must never bundle this file. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { TuningStore } from "./kernels/matmul/tuningRecord";

/** $XDG_CACHE_HOME, else the system's folder for caches. */
export function tuningFile(): string {
  const set = process.env.XDG_CACHE_HOME;
  return join(set === undefined || set === "" ? systemCache() : set, "srpo-playground", "matmul.json");
}

function systemCache(): string {
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches");
  if (process.platform === "win32") return process.env.LOCALAPPDATA ?? join(homedir(), "AppData", "Local");
  return join(homedir(), ".cache");
}

export function fileTuningStore(file = tuningFile()): TuningStore {
  return {
    async read() {
      try {
        return await readFile(file, "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
        throw error;
      }
    },
    async write(text) {
      await mkdir(dirname(file), { recursive: true });
      // Two processes may tune at once: each leaves a whole file.
      const fresh = `${file}.${process.pid}`;
      await writeFile(fresh, text);
      await rename(fresh, file);
    },
  };
}
