/** A checkpoint folder on disk. Node only: nothing that the page bundles may import this file. */
import { readdir, readFile, writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError, type CheckpointFiles } from "./checkpointFiles";

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Open a folder on disk. @throws CheckpointError when it cannot be listed. */
export async function openDirectory(directory: string): Promise<CheckpointFiles> {
  let names: string[];
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    names = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name).sort();
  } catch (error) {
    throw new CheckpointError(`${directory}: not a readable folder (${reason(error)}).`);
  }
  return {
    list: () => [...names],
    async read(path) {
      try {
        return new Uint8Array(await readFile(join(directory, path)));
      } catch (error) {
        throw new CheckpointError(`${join(directory, path)}: could not be read (${reason(error)}).`);
      }
    },
  };
}

/** Write a folder, creating it; existing files of the same names are replaced. */
export async function writeDirectory(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [path, bytes] of files) await writeFile(join(directory, path), bytes);
}
