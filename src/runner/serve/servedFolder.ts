/**
 * A served run on disk: what the page keeps in IndexedDB, as files. The latest state is `snapshot.bin`, as `srpo train` writes
 * it, so that a run begun by one command can be continued by the other; `metrics.jsonl` likewise. One process at a time.
 */
import { mkdir, open, readFile, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { LATEST, type SnapshotStore } from "../../worker/store";
import type { Event } from "../../worker/protocol";
import { appendLine, readIfThere, writeAtomically } from "../atomicWrite";
import { loraSchema } from "../runConfig";
import { UsageError } from "../usage";

const recordSchema = z.object({ policy: z.string().min(1), lora: loraSchema.prefault({}) });
/** What a run was opened with: it can only be continued with the same. */
export type ServedRecord = z.output<typeof recordSchema>;

export class FolderStore implements SnapshotStore {
  constructor(private readonly folder: string) {}

  async put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await writeAtomically(this.path(key), bytes);
  }

  get(key: string): Promise<Uint8Array | null> {
    return readIfThere(this.path(key));
  }

  async delete(key: string): Promise<void> {
    await rm(this.path(key), { force: true });
  }

  /** Keys hold colons and, of dropped folders, slashes. */
  private path(key: string): string {
    return key === LATEST ? join(this.folder, "snapshot.bin") : join(this.folder, "kept", `${encodeURIComponent(key)}.bin`);
  }
}

export class ServedFolder {
  #writing: Promise<void> = Promise.resolve();

  private constructor(readonly path: string, private readonly lock: string, private readonly onFault: (error: Error) => void) {}

  /**
   * Take the folder, for this process alone.
   * @param onFault told when metrics cannot be written
   * @throws UsageError when another process has it
   */
  static async take(path: string, onFault: (error: Error) => void): Promise<ServedFolder> {
    await mkdir(path, { recursive: true });
    const lock = join(path, "serve.lock");
    if (!await written(lock)) {
      const holder = Number(await readFile(lock, "utf8"));
      if (isAlive(holder)) throw new UsageError(`--run ${path}: process ${holder} serves this run already; stop it, or choose another folder (if that process is something else, remove ${lock})`);
      await unlink(lock);
      if (!await written(lock)) throw new UsageError(`--run ${path}: another process has just begun to serve this run`);
    }
    return new ServedFolder(path, lock, onFault);
  }

  get store(): SnapshotStore {
    return new FolderStore(this.path);
  }

  /** Does the folder hold a run? */
  async holdsRun(): Promise<boolean> {
    return await this.store.get(LATEST) !== null;
  }

  /** What the run in the folder was opened with; of a run of `srpo train`, its plan says. Null where nothing says. */
  async record(): Promise<ServedRecord | null> {
    for (const name of ["serve.json", "plan.json"]) {
      const bytes = await readIfThere(join(this.path, name));
      if (bytes === null) continue;
      const parsed = recordSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
      if (!parsed.success) throw new UsageError(`${join(this.path, name)}: ${parsed.error.issues[0]?.path.join(".") ?? "it"} is not as expected; choose another --run`);
      return parsed.data;
    }
    return null;
  }

  async writeRecord(record: ServedRecord): Promise<void> {
    await writeAtomically(join(this.path, "serve.json"), `${JSON.stringify(record, null, 2)}\n`);
  }

  /** Keep metrics.jsonl in step with the run: a line a step; the whole anew where the run has gone back. */
  follow(event: Event): void {
    const path = join(this.path, "metrics.jsonl");
    if (event.type === "stepped") this.write(() => appendLine(path, event.metrics));
    if (event.type === "opened" || event.type === "restored") this.write(() => writeAtomically(path, event.history.map((metrics) => `${JSON.stringify(metrics)}\n`).join("")));
  }

  /** Write what is left, and let another process have the folder. */
  async release(): Promise<void> {
    await this.#writing;
    await rm(this.lock, { force: true });
  }

  private write(job: () => Promise<void>): void {
    this.#writing = this.#writing.then(job).catch((error: unknown) => this.onFault(error instanceof Error ? error : new Error(String(error))));
  }
}

/** Write our process id where nothing is yet. → false where something is */
async function written(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, "wx");
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
