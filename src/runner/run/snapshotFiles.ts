/**
 * The two newest snapshots of a run on disk. A new one is written beside them, read back and compared before it becomes
 * snapshot.bin; the one before becomes snapshot.previous.bin. A process killed at any moment leaves a whole
 * snapshot.bin, and where the disk damages that one later, the run continues from the one before.
 */
import { copyFile, link, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { decodeSnapshot, type Snapshot, SnapshotError } from "../../training/snapshot";
import { partialPath, readIfThere, writeDurably } from "../files/atomicWrite";
import { InputError } from "../files/inputError";

export const NEWEST = "snapshot.bin";
export const PREVIOUS = "snapshot.previous.bin";
const DAMAGED = "snapshot.damaged.bin";

/** @throws Error when the disk does not give back what was written; the snapshots there stay as they were */
export async function writeSnapshot(folder: string, bytes: Uint8Array): Promise<void> {
  const [newest, previous] = [join(folder, NEWEST), join(folder, PREVIOUS)];
  // The same state again, as at the end of a stage, must not take the place of the one before.
  const there = await readIfThere(newest);
  if (there !== null && Buffer.compare(there, bytes) === 0) return;
  const beside = partialPath(newest);
  await writeDurably(beside, bytes);
  const read = await readIfThere(beside);
  if (read === null || Buffer.compare(read, bytes) !== 0) {
    await rm(beside, { force: true });
    throw new Error(
      `${newest}: the disk does not give back the snapshot that was written (${read?.length ?? 0} of ` +
        `${bytes.length} bytes read); the one before was kept. Check the disk and its free space`,
    );
  }
  await keepAsPrevious(newest, previous);
  await rename(beside, newest);
}

/** With a second name, so that there is a snapshot.bin at every moment; renamed where the disk has no such links. */
async function keepAsPrevious(newest: string, previous: string): Promise<void> {
  const beside = partialPath(previous);
  try {
    await rm(beside, { force: true });
    await link(newest, beside);
    await rename(beside, previous);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "ENOENT") return; // there is none before the first
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(String(code))) throw error;
    await rename(newest, previous);
  }
}

export interface FoundSnapshot {
  readonly snapshot: Snapshot;
  /** What to say where it is not the newest: which was damaged and which was taken. Null: it is the newest. */
  readonly warning: string | null;
}

/** The newest snapshot that can be read; null where there is none. @throws InputError when all are damaged */
export async function newestSnapshot(folder: string): Promise<FoundSnapshot | null> {
  const faults: string[] = [];
  for (const name of [NEWEST, PREVIOUS]) {
    const path = join(folder, name);
    const bytes = await readIfThere(path);
    if (bytes === null) {
      faults.push(`${path}: not found`);
      continue;
    }
    try {
      const snapshot = decodeSnapshot(bytes);
      const { stage, step } = snapshot.state;
      const warning = `${faults.join("; ")}. Continuing from the snapshot before it, ${path}: ${stage} step ${step}`;
      return { snapshot, warning: faults.length > 0 ? warning : null };
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      faults.push(`${path}: ${error.message}`);
    }
  }
  if (faults.every((fault) => fault.endsWith(": not found"))) return null;
  throw new InputError(
    `${faults.join("; ")}. No older snapshot is left: restore one from a backup, or start a new run in another folder`,
  );
}

/**
 * Put a damaged newest snapshot aside (snapshot.damaged.bin), so that the one before is the newest. Where that one is
 * damaged too, the newest is only copied: the host goes on with the states of the timeline. → what to say; null: the
 * newest is whole, or there is none
 */
export async function putDamagedAside(folder: string): Promise<string | null> {
  const newest = join(folder, NEWEST);
  const found = await newestSnapshot(folder).catch((error: unknown) => {
    if (error instanceof InputError) return error;
    throw error;
  });
  if (found instanceof InputError) {
    if ((await readIfThere(newest)) !== null) await copyFile(newest, join(folder, DAMAGED));
    return found.message.replace(/ No older snapshot is left: .*$/s, " The states of the timeline are tried.");
  }
  if (found === null || found.warning === null) return null;
  if ((await readIfThere(newest)) !== null) await rename(newest, join(folder, DAMAGED));
  await rename(join(folder, PREVIOUS), newest);
  return found.warning;
}
