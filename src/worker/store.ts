/** A key-value store for snapshots: IndexedDB on the page; memory in tests and in browsers that forbid IndexedDB. */
import { type DBSchema, type IDBPDatabase, openDB } from "idb";

export interface SnapshotStore {
  /** Replace the bytes under `key`. Resolves when they are durable. */
  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  get(key: string): Promise<Uint8Array | null>;
  delete(key: string): Promise<void>;
}

/** The key of a run's latest state. */
export const LATEST = "latest";
/** The key of the state before the latest one; read only, and absent in stores that keep one state. */
export const PREVIOUS = "previous";

export class MemoryStore implements SnapshotStore {
  readonly #entries = new Map<string, Uint8Array<ArrayBuffer>>();

  async put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#entries.set(key, bytes);
  }

  async get(key: string): Promise<Uint8Array | null> {
    return this.#entries.get(key) ?? null;
  }

  async delete(key: string): Promise<void> {
    this.#entries.delete(key);
  }
}

interface Schema extends DBSchema {
  snapshots: { key: string; value: Uint8Array<ArrayBuffer> };
}

export class IndexedDbStore implements SnapshotStore {
  private constructor(private readonly db: IDBPDatabase<Schema>) {}

  /** @throws DOMException when the browser forbids storage (some private windows): fall back to MemoryStore. */
  static async open(name = "srpo-playground"): Promise<IndexedDbStore> {
    const db = await openDB<Schema>(name, 1, { upgrade: (fresh) => void fresh.createObjectStore("snapshots") });
    return new IndexedDbStore(db);
  }

  async put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.db.put("snapshots", bytes, key);
  }

  async get(key: string): Promise<Uint8Array | null> {
    return (await this.db.get("snapshots", key)) ?? null;
  }

  async delete(key: string): Promise<void> {
    await this.db.delete("snapshots", key);
  }
}
