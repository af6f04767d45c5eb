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

/** What a page keeps: the runs of all its tabs (storedRun.ts), each under keys of its own. */
export interface Database extends SnapshotStore {
  /** Write all entries or none. */
  putAll(entries: readonly (readonly [key: string, bytes: Uint8Array<ArrayBuffer>])[]): Promise<void>;
  keys(): Promise<readonly string[]>;
}

export class MemoryStore implements Database {
  readonly #entries = new Map<string, Uint8Array<ArrayBuffer>>();

  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.putAll([[key, bytes]]);
  }

  async putAll(entries: readonly (readonly [key: string, bytes: Uint8Array<ArrayBuffer>])[]): Promise<void> {
    for (const [key, bytes] of entries) this.#entries.set(key, bytes);
  }

  async get(key: string): Promise<Uint8Array | null> {
    return this.#entries.get(key) ?? null;
  }

  async delete(key: string): Promise<void> {
    this.#entries.delete(key);
  }

  async keys(): Promise<readonly string[]> {
    return [...this.#entries.keys()];
  }
}

const SNAPSHOTS = "snapshots";

interface Schema extends DBSchema {
  snapshots: { key: string; value: Uint8Array<ArrayBuffer> };
}

export class IndexedDbStore implements Database {
  private constructor(private readonly db: IDBPDatabase<Schema>) {}

  /** @throws DOMException when the browser forbids storage (some private windows): fall back to MemoryStore. */
  static async open(name = "srpo-playground"): Promise<IndexedDbStore> {
    const db = await openDB<Schema>(name, 1, { upgrade: (fresh) => void fresh.createObjectStore(SNAPSHOTS) });
    return new IndexedDbStore(db);
  }

  put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.putAll([[key, bytes]]);
  }

  /** One transaction: a full disk or a closed tab leaves what was there before. */
  async putAll(entries: readonly (readonly [key: string, bytes: Uint8Array<ArrayBuffer>])[]): Promise<void> {
    const transaction = this.db.transaction(SNAPSHOTS, "readwrite");
    const writes = Promise.all(entries.map(async ([key, bytes]) => transaction.store.put(bytes, key)));
    writes.catch(() => {
      // A write that was refused at once does not end the transaction by itself.
      if (transaction.error === null) transaction.abort();
    });
    // The transaction's end reports what shows only when it is committed: no room.
    await Promise.all([writes, transaction.done]);
  }

  async get(key: string): Promise<Uint8Array | null> {
    return (await this.db.get(SNAPSHOTS, key)) ?? null;
  }

  async delete(key: string): Promise<void> {
    await this.db.delete(SNAPSHOTS, key);
  }

  keys(): Promise<readonly string[]> {
    return this.db.getAllKeys(SNAPSHOTS);
  }
}
