/** Atomic writes: write a temporary file, sync, rename. A killed process leaves the old file or the new one. */
import { appendFile, mkdir, open, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileFault } from "./fileFault";
import { InputError } from "./inputError";

/** Names of temporary files; those of a killed process are garbage. */
export const PARTIAL = /\.\d+\.partial$/;

/** Where the new content of a file is written first. */
export function partialPath(path: string): string {
  return `${path}.${process.pid}.partial`;
}

export async function writeAtomically(path: string, content: Uint8Array | string): Promise<void> {
  const beside = partialPath(path);
  await writeDurably(beside, content);
  await rename(beside, path);
}

/** Write a file in place; resolves when its content is on the disk. */
export async function writeDurably(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(path, "w");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!isFull(error)) throw error;
    await rm(path, { force: true });
    throw noRoom(path, error);
  }
}

const isFull = (error: unknown): boolean =>
  error instanceof Error && "code" in error && ["ENOSPC", "EDQUOT", "EFBIG"].includes(String(error.code));

/** The system's own words name no file. */
const noRoom = (path: string, cause: unknown): Error =>
  new Error(
    `${path.replace(PARTIAL, "")}: no room on the disk to write it ` +
      `(${cause instanceof Error ? cause.message : cause}); ` +
      "what was written before is whole. Free some space; a run goes on with --resume",
    { cause },
  );

/** Write a folder file by file, each atomically. */
export async function writeFolder(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [path, bytes] of files) await writeAtomically(join(directory, path), bytes);
}

/** 0 where there is no file yet. */
const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0;

export async function appendLine(path: string, record: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const size = await sizeOf(path);
  try {
    await appendFile(path, `${JSON.stringify(record)}\n`);
  } catch (error) {
    if (!isFull(error)) throw error;
    // Else the next line would follow the half of this one. A device in the file's place has no length.
    await truncate(path, size).catch(() => undefined);
    throw noRoom(path, error);
  }
}

/** Cut off an unfinished last line, left by a process that was killed while appending. */
export async function cutToWholeLines(path: string): Promise<void> {
  const bytes = await readIfThere(path);
  if (bytes === null) return;
  const end = bytes.lastIndexOf(10) + 1;
  if (end < bytes.length) await writeAtomically(path, bytes.subarray(0, end));
}

/**
 * The file's bytes, or null if it does not exist.
 * @throws InputError naming it: permissions, a folder in its place, a circle of links
 */
export async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw new InputError(`${path}: ${fileFault(error)}`);
  }
}
