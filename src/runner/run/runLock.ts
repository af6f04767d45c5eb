/**
 * A lock on a run's folder: one process at a time, whichever command it is. The lock file holds the process id, so the
 * lock of a killed process does not count.
 */
import { mkdir, open, readdir, readFile, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { PARTIAL } from "../files/atomicWrite";
import { InputError } from "../files/inputError";

const LOCK = "run.lock";
/** Locks of this process. Our id in any other lock file is that of an earlier process: containers reuse ids. */
const held = new Set<string>();

export class RunLock {
  private constructor(private readonly path: string) {}

  /** Lock the folder, creating it if needed. @throws InputError when another process has it */
  static async take(folder: string): Promise<RunLock> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, LOCK);
    if (!(await written(path))) {
      const holder = Number(await readFile(path, "utf8"));
      if (held.has(path) || isOtherAlive(holder))
        throw new InputError(
          `${folder}: process ${holder} is already training or serving this run: stop it, or choose another folder ` +
            `(if that process is something else, remove ${path})`,
        );
      await unlink(path);
      if (!(await written(path)))
        throw new InputError(`${folder}: another process has just taken this run: choose another folder`);
    }
    held.add(path);
    await removePartial(folder);
    return new RunLock(path);
  }

  async release(): Promise<void> {
    held.delete(this.path);
    await rm(this.path, { force: true });
  }
}

/** Remove the temporary files of a killed process, here and one level down: a snapshot may take hundreds of MB. */
async function removePartial(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders = [folder, ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name))];
  for (const each of folders) {
    for (const name of await readdir(each)) if (PARTIAL.test(name)) await rm(join(each, name));
  }
}

/** Create the lock file with our process id. → false if it exists */
async function written(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function isOtherAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is alive and belongs to another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
