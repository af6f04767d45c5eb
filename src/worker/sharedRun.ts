/**
 * One run, several tabs of one browser. The tab that holds a run's lock (tabLock.ts) trains and saves it; another tab
 * that opens the run watches: it shows the owner's events, sent over a BroadcastChannel, and sends no command but
 * "steer". Then the owner finishes its phase, saves, closes, and becomes a watcher. An owner that is closed, or does
 * not answer, loses the run to a tab that watches it.
 *
 * To the page it is the worker's end of the protocol, as Host is; every opened run gets a host of its own.
 */
import type { Host } from "./host";
import { guardName, OwnedRun } from "./ownedRun";
import { parseCommand } from "./parse";
import type { Command, Event, SavingState } from "./protocol";
import type { EventBody, OpenCommand } from "./runLifecycle";
import { type Database, MemoryStore, type SnapshotStore } from "./store";
import { deleteRun, StoredRun, storedRuns } from "./storedRun";
import { type HeldLock, takeLock } from "./tabLock";
import { WatchedRun } from "./watchedRun";

export interface HostParts {
  readonly store: SnapshotStore;
  readonly post: (event: Event, transfer: Transferable[]) => void;
  readonly leaveStored: () => Promise<void>;
}

export interface SharedRunDependencies {
  /** Null: the browser stores nothing, so there is nothing to share. */
  readonly database: Database | null;
  /** Why there is no database. */
  readonly refused: string;
  /** Null: the browser has no locks, so tabs cannot be told apart. */
  readonly locks: LockManager | null;
  readonly createHost: (parts: HostParts) => Host;
  readonly post: (event: Event, transfer: Transferable[]) => void;
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Milliseconds in which a tab that was given the run must take it. */
const TAKING_PATIENCE = 5000;

interface Place {
  readonly id: string;
  readonly name: string;
  /** Something is stored there already. */
  readonly exists: boolean;
}

export class SharedRun {
  #queue: Promise<void> = Promise.resolve();
  #command: OpenCommand | null = null;
  #owned: OwnedRun | null = null;
  #watched: WatchedRun | null = null;
  readonly #tab: string;

  constructor(private readonly dependencies: SharedRunDependencies) {
    this.#tab = dependencies.newId();
  }

  /** A message from the page. */
  receive(message: unknown): void {
    let command: Command;
    try {
      command = parseCommand(message);
    } catch (error) {
      return this.tell({ type: "error", fatal: false, message: messageOf(error) });
    }
    this.inTurn(() => this.handle(command));
  }

  private inTurn(act: () => Promise<void> | void): void {
    this.#queue = this.#queue.then(act).catch((error: unknown) => {
      this.tell({ type: "error", fatal: this.#owned === null && this.#watched === null, message: messageOf(error) });
    });
  }

  private async handle(command: Command): Promise<void> {
    if (command.type === "open") {
      this.#command = command;
      const replaced = command.choice?.keepEarlier === false ? (this.#owned?.stored?.id ?? null) : null;
      await this.leave();
      return this.open(command, replaced);
    }
    if (command.run !== this.#command?.run) return;
    if (command.type === "steer") return this.takeOver();
    if (command.type === "close") return this.leave();
    this.#owned?.host?.receive(command);
  }

  private async open(command: OpenCommand, replaced: string | null): Promise<void> {
    const { database, locks, newId } = this.dependencies;
    const { choice } = command;
    if (database === null) {
      this.own(command, null, null, null);
      return this.say({ state: "forbidden", message: this.dependencies.refused });
    }
    const runs = command.resume ? await storedRuns(database) : [];
    const known = runs.find(({ id }) => id === choice?.id);
    const found = known ?? (choice?.orNew === true ? undefined : runs[0]);
    const place = found ? { ...found, exists: true } : { id: newId(), name: choice?.name ?? "Run", exists: false };
    const lock = locks === null ? null : await takeLock(locks, guardName(place.id), "ifFree");
    if (locks !== null && lock === null) return this.watch(place, locks);
    this.own(command, place, lock, replaced);
    if (locks === null) this.say({ state: "unguarded" });
  }

  /** Train the run in this tab. @param replaced the run to delete once this one is durable */
  private own(command: OpenCommand, place: Place | null, lock: HeldLock | null, replaced: string | null): void {
    const { database, createHost, newId, now, locks } = this.dependencies;
    const owned = new OwnedRun({
      command,
      name: place?.name ?? "",
      openedAt: now(),
      onHandOver: (from) => this.inTurn(() => this.handOver(owned, from)),
      onLost: () => this.inTurn(() => this.lose(owned)),
    });
    let [toDelete, listed] = [replaced, false];
    const onSaved = (): void => {
      if (listed && toDelete === null) return;
      const gone = toDelete;
      [toDelete, listed] = [null, true];
      void this.remove(gone).then(() => this.list());
    };
    const stored =
      database === null || place === null
        ? null
        : new StoredRun(database, { id: place.id, about: () => owned.about, owned: () => owned.mine, onSaved });
    owned.stored = stored;
    this.#owned = owned;
    if (place !== null && lock !== null) owned.guard(place.id, lock);
    owned.host = createHost({
      store: stored ?? new MemoryStore(),
      post: (event, transfer) => this.fromHost(owned, event, transfer),
      leaveStored: async () => {
        const id = newId();
        stored?.moveTo(id);
        const fresh = locks === null ? null : await takeLock(locks, guardName(id), "ifFree");
        if (fresh !== null) owned.guard(id, fresh);
      },
    });
    owned.host.receive({ ...command, resume: place?.exists ?? false });
  }

  private fromHost(owned: OwnedRun, event: Event, transfer: Transferable[]): void {
    if (this.#owned !== owned || !owned.mine) return;
    owned.broadcast(event);
    this.dependencies.post(event, transfer);
    if (event.type === "opened") void this.list();
  }

  private watch(place: Place, locks: LockManager): void {
    const watched = new WatchedRun({
      id: place.id,
      tab: this.#tab,
      locks,
      onEvent: (event) => {
        if (this.#watched === watched) this.tell(event);
      },
      onFree: (lock) =>
        this.inTurn(() => {
          if (this.#watched !== watched) return lock.release();
          this.become(watched, place, lock);
        }),
      onFault: (error) => this.tell({ type: "error", fatal: false, message: messageOf(error) }),
    });
    this.#watched = watched;
    this.tell({ type: "steering", steering: false });
    void this.list();
  }

  /** A watched run is this tab's now. */
  private become(watched: WatchedRun, place: Place, lock: HeldLock): void {
    if (this.#command === null) return lock.release();
    watched.stop();
    this.#watched = null;
    this.own(this.#command, { ...place, exists: true }, lock, null);
    this.tell({ type: "steering", steering: true });
  }

  private async takeOver(): Promise<void> {
    const [watched, { locks }] = [this.#watched, this.dependencies];
    if (watched === null || locks === null) return;
    if ((await watched.askForRun()) === "unsaved")
      return this.tell({
        type: "error",
        fatal: false,
        message:
          "The other tab cannot save the run, so it would lose its last steps. Export the policy there, close that " +
          "tab, and the run is this tab's.",
      });
    const lock = await takeLock(locks, guardName(watched.id), "steal");
    const known = this.dependencies.database === null ? [] : await storedRuns(this.dependencies.database);
    const name = known.find(({ id }) => id === watched.id)?.name ?? "Run";
    if (lock !== null) this.become(watched, { id: watched.id, name, exists: true }, lock);
  }

  /** Another tab wants the run: save it and let it go. */
  private async handOver(owned: OwnedRun, from: string): Promise<void> {
    if (this.#owned !== owned) return;
    if (owned.host?.unsaved === true) return owned.answer(from, "unsaved");
    owned.answer(from, "closing");
    this.tell({ type: "steering", steering: false });
    await owned.stop();
    owned.answer(from, "free");
    setTimeout(() => this.inTurn(() => this.lose(owned)), TAKING_PATIENCE);
  }

  /** Another tab has the run: watch it from now on. */
  private async lose(owned: OwnedRun): Promise<void> {
    const { locks } = this.dependencies;
    if (this.#owned !== owned || owned.stored === null || locks === null) return;
    this.#owned = null;
    await owned.close();
    this.watch({ id: owned.stored.id, name: owned.about.name, exists: true }, locks);
  }

  private async leave(): Promise<void> {
    await this.#owned?.close();
    this.#owned = null;
    this.#watched?.stop();
    this.#watched = null;
  }

  /** Delete a run that was replaced, unless another tab has it by now. */
  private async remove(id: string | null): Promise<void> {
    const { database, locks } = this.dependencies;
    if (id === null || database === null) return;
    try {
      const lock = locks === null ? null : await takeLock(locks, guardName(id), "ifFree");
      if (lock === null && locks !== null) return;
      await deleteRun(database, id);
      lock?.release();
    } catch (error) {
      console.warn(`The run ${id}, which was replaced, could not be deleted.`, error);
    }
  }

  /** Tell the page which runs are kept. */
  private async list(): Promise<void> {
    const { database } = this.dependencies;
    const current = this.#owned?.stored?.id ?? this.#watched?.id;
    if (database === null || current === undefined) return;
    try {
      this.tell({ type: "shelf", current, runs: await storedRuns(database) });
    } catch (error) {
      console.warn("The stored runs cannot be listed.", error);
    }
  }

  private say(saving: SavingState): void {
    this.tell({ type: "saving", ...saving });
  }

  private tell(event: EventBody): void {
    this.dependencies.post({ ...event, run: this.#command?.run ?? "" }, []);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
