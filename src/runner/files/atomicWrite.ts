/** Atomic writes: write a temporary file, sync, rename. A killed process leaves the old file or the new one. */
import { appendFile, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";

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
  const file = await open(path, "w");
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Write a folder file by file, each atomically. */
export async function writeFolder(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [path, bytes] of files) await writeAtomically(join(directory, path), bytes);
}

export async function appendLine(path: string, record: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, `${JSON.stringify(record)}\n`);
}

/** Cut off an unfinished last line, left by a process that was killed while appending. */
export async function cutToWholeLines(path: string): Promise<void> {
  const bytes = await readIfThere(path);
  if (bytes === null) return;
  const end = bytes.lastIndexOf(10) + 1;
  if (end < bytes.length) await writeAtomically(path, bytes.subarray(0, end));
}

/** The file's bytes, or null if it does not exist. Other failures (permissions, a folder in its place) are thrown. */
export async function readIfThere(path: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
