/** A checkpoint folder on disk. Node only: nothing that the page bundles may import this file. */
import { type FileHandle, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, type CheckpointFiles } from "./checkpointFiles";

/** Bytes of a file that is read as a whole: configurations, tokenizers, adapters. */
const MAX_WHOLE = 2 ** 30;

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Open a folder on disk. @throws CheckpointError when it cannot be listed. */
export async function openDirectory(directory: string): Promise<CheckpointFiles> {
  let names: string[];
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    names = entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    throw new CheckpointError(`${directory}: not a readable folder (${reason(error)}).`);
  }
  const reading = async <T>(path: string, act: (file: string) => Promise<T>): Promise<T> => {
    const file = join(directory, path);
    try {
      return await act(file);
    } catch (error) {
      if (error instanceof CheckpointError) throw error;
      throw new CheckpointError(`${file}: could not be read (${reason(error)}).`);
    }
  };
  return {
    list: () => [...names],
    read: (path) =>
      reading(path, async (file) => {
        const { size } = await stat(file);
        if (size > MAX_WHOLE)
          throw new CheckpointError(`${file}: ${size} bytes, expected at most ${MAX_WHOLE} for a file of this name.`);
        return new Uint8Array(await readFile(file));
      }),
    size: (path) => reading(path, async (file) => (await stat(file)).size),
    readRange: (path, from, to) =>
      reading(path, async (file) => {
        const handle = await open(file);
        try {
          return await readFully(handle, file, from, to);
        } finally {
          await handle.close();
        }
      }),
  };
}

/** A read may return fewer bytes than requested; only at the end of the file are there no more. */
async function readFully(handle: FileHandle, file: string, from: number, to: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(to - from);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, from + at);
    if (bytesRead === 0)
      throw new CheckpointError(`${file}: ends at byte ${from + at}, expected bytes ${from} to ${to}.`);
    at += bytesRead;
  }
  return bytes;
}

/** Write a folder, creating it; existing files of the same names are replaced. */
export async function writeDirectory(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [path, bytes] of files) await writeFile(join(directory, path), bytes);
}
