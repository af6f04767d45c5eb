/**
 * A lock on a run's folder: one process at a time, whichever command it is. The lock file appears whole, with who holds
 * it: host, process id and when that process started, since ids are used again. The lock of a process of this host that
 * is no more does not count; that of another host cannot be judged from here and is named.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readFile, rm, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { fileFault } from "../files/fileFault";
import { InputError } from "../files/inputError";
import { removePartial } from "./runEntries";

export const LOCK = "run.lock";
/** Exists while a dead process' lock is replaced, so that two processes do not replace each other's. */
export const TAKEOVER = `${LOCK}.takeover`;
/** Milliseconds, either way, beyond which a takeover is that of a killed process: it takes a few file operations. */
const TAKEOVER_LIMIT = 10_000;

const holderSchema = z.object({
  pid: z.int().positive(),
  host: z.string().min(1),
  /** Null where the system does not tell. */
  started: z.string().nullable(),
});
type Holder = z.output<typeof holderSchema>;

/** Locks of this process. Our id in any other lock file is that of an earlier process: containers reuse ids. */
const held = new Set<string>();

export class RunLock {
  private constructor(
    private readonly path: string,
    private readonly content: string,
  ) {}

  /** Lock the folder, creating it if needed. @throws InputError when another process has it */
  static async take(folder: string): Promise<RunLock> {
    await mkdir(folder, { recursive: true });
    const path = join(folder, LOCK);
    if (held.has(path))
      throw new InputError(taken(folder, path, { pid: process.pid, host: hostname(), started: null }));
    held.add(path);
    try {
      const own = { pid: process.pid, host: hostname(), started: await startOf(process.pid) };
      const content = `${JSON.stringify({ ...own, lock: randomUUID() })}\n`;
      if (!(await created(path, content))) await replaceDead(folder, path, content);
      await removePartial(folder);
      return new RunLock(path, content);
    } catch (error) {
      held.delete(path);
      throw error;
    }
  }

  /** Unlock. A lock that somebody else has put there stays. */
  async release(): Promise<void> {
    held.delete(this.path);
    if ((await textOf(this.path)) === this.content) await unlink(this.path);
  }
}

/** @throws InputError where the lock's process lives, or may */
async function replaceDead(folder: string, path: string, content: string): Promise<void> {
  const found = await textOf(path);
  if (found !== null) {
    const holder = holderOf(found);
    if (holder === null)
      throw new InputError(`${path} is not a lock of this program: if no process uses the folder, remove the file`);
    if (holder !== "none" && (await mayLive(holder))) throw new InputError(taken(folder, path, holder));
  }
  const just = new InputError(`${folder}: another process has just taken this run: choose another folder`);
  const mutex = join(folder, TAKEOVER);
  if (!(await created(mutex, content))) {
    const age = await ageOf(mutex);
    if (age !== null && Math.abs(age) < TAKEOVER_LIMIT) throw just;
    await rm(mutex, { force: true });
    if (!(await created(mutex, content))) throw just;
  }
  try {
    if ((await textOf(path)) !== found) throw just;
    await rm(path, { force: true });
    if (!(await created(path, content))) throw just;
  } finally {
    await rm(mutex, { force: true });
  }
}

function taken(folder: string, path: string, { pid, host }: Holder): string {
  if (host === hostname())
    return (
      `${folder}: process ${pid} is already training or serving this run: stop it, or choose another folder (if that ` +
      `process is something else, remove ${path})`
    );
  return (
    `${folder}: process ${pid} on the host ${host} is training or serving this run, as far as can be seen from ` +
    `${hostname()}: stop it there, or choose another folder (if it no longer runs, remove ${path})`
  );
}

/** Null: no lock of ours. "none": an empty file, which a power cut leaves. Before locks named the host: a number. */
function holderOf(text: string): Holder | "none" | null {
  if (text.trim() === "") return "none";
  if (/^\d+$/.test(text.trim())) return { pid: Number(text), host: hostname(), started: null };
  try {
    return holderSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

async function mayLive({ pid, host, started }: Holder): Promise<boolean> {
  if (host !== hostname()) return true;
  if (pid === process.pid || !isAlive(pid)) return false;
  const now = await startOf(pid);
  return started === null || now === null || now === started;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is alive and belongs to another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** When a process started: the boot, and clock ticks since then (proc(5), field 22 of stat). Null: not told. */
async function startOf(pid: number): Promise<string | null> {
  const [boot, status] = await Promise.all([textOf("/proc/sys/kernel/random/boot_id"), textOf(`/proc/${pid}/stat`)]);
  if (boot === null || status === null) return null;
  // The second field, the command in brackets, may hold spaces.
  const ticks = status.slice(status.lastIndexOf(")") + 2).split(" ")[19];
  return ticks === undefined ? null : `${boot.trim()} ${ticks}`;
}

/** Create a file with its content at once. → false if it exists */
async function created(path: string, content: string): Promise<boolean> {
  const beside = `${path}.${randomUUID()}`;
  await writeNew(beside, content);
  try {
    await link(beside, path);
    return true;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code === "EEXIST") return false;
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(code)) throw error;
    return await writeNew(path, content); // a disk without links: created at once, its content a moment later
  } finally {
    await rm(beside, { force: true });
  }
}

async function writeNew(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(content);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Null: it is not there, or there is no such system file. */
async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && ["ENOENT", "ESRCH", "EACCES"].includes(String(error.code)))
      return null;
    throw new InputError(`${path}: ${fileFault(error)}`);
  }
}

/** Milliseconds, negative where the clock has gone back since; null: it is not there. */
async function ageOf(path: string): Promise<number | null> {
  try {
    return Date.now() - (await stat(path)).mtimeMs;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
