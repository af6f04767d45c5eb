/**
 * What a run was started on: a SHA-256 of every file that decides what the policy computes. A snapshot holds only what
 * is trained, so on another base, tokenizer or image processor a resumed run would go on from a policy that never was.
 * Files are streamed once, when the run begins (0.3 to 2 GB/s, by the processor). Later, one whose size, inode and
 * times are those of then is not read again: no program can set a file's change time (ctime) back.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { InputError } from "../files/inputError";

/** Files of a checkpoint or adapter folder that decide what is computed. */
const DECIDING = new RegExp(
  [
    String.raw`\.safetensors$`,
    String.raw`^(config|generation_config|tokenizer|tokenizer_config|chat_template|preprocessor_config)\.json$`,
    String.raw`^(processor_config|vocab|added_tokens|special_tokens_map|adapter_config)\.json$`,
    String.raw`^(model\.safetensors\.index\.json|chat_template\.jinja|merges\.txt)$`,
  ].join("|"),
);

/** By path, folder included. */
export const policyDigestSchema = z.record(z.string(), z.object({ sha256: z.string(), status: z.string() }));
export type PolicyDigest = z.output<typeof policyDigestSchema>;

/** Bytes above which hashing takes long enough to be announced. */
const LARGE = 2 * 2 ** 30;

/**
 * @param folders the policy's, and its adapter's where it starts from one
 * @param known of the run when it began
 * @param log told before large files are read
 */
export async function policyDigest(
  folders: readonly string[],
  known: PolicyDigest | null,
  log: (line: string) => void = () => undefined,
): Promise<PolicyDigest> {
  const paths: string[] = [];
  for (const folder of folders) paths.push(...(await decidingFiles(folder)).map((name) => join(folder, name)));
  const digest: PolicyDigest = {};
  const unread: { readonly path: string; readonly status: string }[] = [];
  let bytes = 0;
  for (const path of paths) {
    const { size, ino, mtimeMs, ctimeMs } = await stat(path);
    const status = [size, ino, mtimeMs, ctimeMs].join(" ");
    const same = known?.[path];
    if (same?.status === status) digest[path] = same;
    else {
      unread.push({ path, status });
      bytes += size;
    }
  }
  if (bytes > LARGE) log(`reading ${(bytes / 1e9).toFixed(1)} GB of the policy's files for their digest …`);
  for (const { path, status } of unread) digest[path] = { sha256: await sha256(path), status };
  return digest;
}

/** The folders that a run's policy is read from. */
export function foldersOf(plan: {
  readonly policy: string;
  readonly lora: { readonly adapter: string | null };
}): string[] {
  return [plan.policy, ...(plan.lora.adapter === null ? [] : [plan.lora.adapter])];
}

/** @throws InputError naming every file that is not the one that the run started with */
export function refuseOtherPolicy(stored: PolicyDigest | null, now: PolicyDigest, folder: string): void {
  if (stored === null) return; // a run from before digests were kept
  const faults = [...new Set([...Object.keys(stored), ...Object.keys(now)])].sort().flatMap((path) => {
    if (!(path in now)) return [`${path} is missing`];
    if (!(path in stored)) return [`${path} was not there`];
    return stored[path]?.sha256 === now[path]?.sha256 ? [] : [`${path} has another content`];
  });
  if (faults.length === 0) return;
  throw new InputError(
    `the policy of the run in ${folder} is not the one that it started with (${faults.join("; ")}): restore the ` +
      "files, or start a new run in another folder",
  );
}

async function decidingFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.flatMap((entry) => (!entry.isDirectory() && DECIDING.test(entry.name) ? [entry.name] : [])).sort();
  } catch (error) {
    throw new InputError(
      `${folder}: not a readable folder (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 2 ** 22 }), hash);
  return hash.digest("hex");
}
