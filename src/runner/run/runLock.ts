/**
 * One process at a time works on a run's folder, whichever command it is. The claim is a file with the process id, so
 * that a process that was killed leaves none that counts.
 */
import { mkdir, open, readdir, readFile, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../arguments/usage";
import { PARTIAL } from "../files/atomicWrite";

const LOCK = "run.lock";
/**
 * Claims of this process: an id like ours in another file is that of a process before us (in a container, ids repeat).
 */
const held = new Set<string>();

export class RunLock {
  private constructor(private readonly path: string) {}

  /** Claim the folder, made if need be. @throws UsageError when another process has it */
  static async take(folder: string): Promise<RunLock> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, LOCK);
    if (!(await written(path))) {
      const holder = Number(await readFile(path, "utf8"));
      if (held.has(path) || isOtherAlive(holder))
        throw new UsageError(
          `${folder}: process ${holder} trains or serves this run already; stop it, or choose another folder (if ` +
            `that process is something else, remove ${path})`,
        );
      await unlink(path);
      if (!(await written(path))) throw new UsageError(`${folder}: another process has just taken this run`);
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

/**
 * Remove what a killed process left half written, here and in the folders below: a snapshot may be of hundreds of MB.
 */
async function removePartial(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders = [folder, ...entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name))];
  for (const each of folders) {
    for (const name of await readdir(each)) if (PARTIAL.test(name)) await rm(join(each, name));
  }
}

/** Write our process id where nothing is yet. → false where something is */
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
    // EPERM: it lives and belongs to somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
