/**
 * What a run writes into its folder, by name: only that is ever removed or replaced there, and a new run begins only
 * where nothing else is.
 */
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../arguments/usage";
import { PARTIAL } from "../files/atomicWrite";
import { EVENT_FILE } from "./tensorboard";

const FILES = ["plan.json", "snapshot.bin", "snapshot.previous.bin", "metrics.jsonl", "skipped.jsonl"] as const;
/** Folders of its own: logs, trained policies, and what `serve` keeps. */
const FOLDERS = ["tensorboard", "completions", "sft", "grpo", "kept", "policy"] as const;
const LOCKS = /^run\.lock(\.takeover)?(\.[0-9a-f-]{36})?$/;
const REWARD_COPY = /^reward\.\w+$/;
/** Tables of responses in the folder completions. */
export const TABLE = /^(base|sft|grpo)-\d{6,}\.parquet$/;

/** Remove the temporary files that a killed process has left of a run's files: a snapshot may take hundreds of MB. */
export async function removePartial(folder: string): Promise<void> {
  for (const name of await namesIn(folder))
    if (isPartial(name) && isOwn(name.replace(PARTIAL, ""))) await rm(join(folder, name));
  for (const own of FOLDERS) {
    for (const name of await namesIn(join(folder, own))) if (isPartial(name)) await rm(join(folder, own, name));
  }
}

/**
 * A new run begins in a new or an empty folder, or where one was killed before it was complete.
 * @param flag that names the folder
 * @throws UsageError naming what else is in it
 */
export async function refuseForeign(folder: string, flag: string): Promise<void> {
  const names = await namesIn(folder);
  const locked = names.some((name) => LOCKS.test(name));
  const foreign: string[] = [];
  for (const name of names) if (!(await isLeft(folder, name, locked))) foreign.push(name);
  if (foreign.length === 0) return;
  const [shown, more] = [foreign.sort().slice(0, 5).join(", "), foreign.length - 5];
  throw new UsageError(
    `--${flag} ${folder} contains files that are no run's (${shown}${more > 0 ? ` and ${more} more` : ""}): choose a ` +
      "new or empty folder",
  );
}

/** Is this what a run leaves that was killed before its plan was written? */
async function isLeft(folder: string, name: string, locked: boolean): Promise<boolean> {
  const path = join(folder, name);
  const own = name.replace(PARTIAL, "");
  if (LOCKS.test(name)) return true;
  if (isPartial(name)) return isOwn(own);
  if (name === "snapshot.bin" || name === "snapshot.previous.bin") return isSnapshot(path);
  if (name === "metrics.jsonl") return (await stat(path)).size === 0;
  if (REWARD_COPY.test(name)) return locked;
  const inside = (is: (each: string) => boolean) => async (): Promise<boolean> => (await namesIn(path)).every(is);
  if (name === "tensorboard") return inside((each) => each.replace(PARTIAL, "") === EVENT_FILE)();
  if (name === "completions") return inside((each) => TABLE.test(each.replace(PARTIAL, "")))();
  if (name === "kept") return inside((each) => each.replace(PARTIAL, "").endsWith(".bin"))();
  return false;
}

async function isSnapshot(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(7), 0, 7, 0);
    return bytesRead === 7 && buffer.toString("latin1") === "SRPOSNP";
  } finally {
    await file.close();
  }
}

const isPartial = (name: string): boolean => PARTIAL.test(name);
const isOwn = (name: string): boolean => FILES.some((own) => own === name) || REWARD_COPY.test(name);

/** None where there is no such folder. @throws Error for a file in its place */
async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
