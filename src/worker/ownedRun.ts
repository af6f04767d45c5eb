/** A run that this tab trains and saves, and what the tabs that watch it are sent. */
import type { Host } from "./host";
import type { Event } from "./protocol";
import type { EventBody, OpenCommand } from "./runLifecycle";
import { emptyRunView, type RunView, reduceRunView, replay } from "./runView";
import type { About, StoredRun } from "./storedRun";
import { openTabChannel, type TabChannel, type TabMessage } from "./tabChannel";
import type { HeldLock } from "./tabLock";

/** Keeps other tabs from the run: its lock, and the channel to those that watch. */
interface Guard {
  readonly lock: HeldLock;
  readonly channel: TabChannel;
}

/** Name of a run's lock and channel. */
export const guardName = (id: string): string => `srpo-playground/1/${id}`;

export interface OwnedRunOptions {
  readonly command: OpenCommand;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly openedAt: number;
  /** Asked by another tab to let the run go. */
  readonly onHandOver: (from: string) => void;
  /** Another tab has taken the run. */
  readonly onLost: () => void;
}

export class OwnedRun {
  /** Set once, right after construction: host and store need the run to report to. */
  host: Host | null = null;
  /** Null where nothing is stored. */
  stored: StoredRun | null = null;
  #view: RunView = emptyRunView;
  #guard: Guard | null = null;
  #watched = false;
  #lost = false;

  constructor(private readonly options: OwnedRunOptions) {}

  /** False once another tab has the run. */
  get mine(): boolean {
    return !this.#lost;
  }

  get about(): About {
    const { stage = "base", step = 0 } = this.#view.opened ?? {};
    return { name: this.options.name, stage, step, openedAt: this.options.openedAt };
  }

  /** Watch over the run under this id, and announce it; the guard before, if any, is released. */
  guard(id: string, lock: HeldLock): void {
    this.unguard();
    const channel = openTabChannel(guardName(id), (message) => this.heard(message));
    const guard = { lock, channel };
    this.#guard = guard;
    channel.post({ kind: "owner" });
    void lock.lost.then(() => {
      if (this.#guard !== guard) return;
      this.#lost = true;
      this.options.onLost();
    });
  }

  private unguard(): void {
    this.#guard?.channel.close();
    this.#guard?.lock.release();
    this.#guard = null;
    this.#watched = false;
  }

  /** Pass an event of the host to the tabs that watch. */
  broadcast({ run: _run, ...event }: Event): void {
    this.#view = reduceRunView(this.#view, { run: "", ...event } as Event);
    if (this.#watched && event.type !== "exported")
      this.#guard?.channel.post({ kind: "event", to: null, event: forWatchers(event) });
  }

  answer(to: string, answer: "closing" | "free" | "unsaved"): void {
    this.#guard?.channel.post({ kind: "answer", to, answer });
  }

  /** Stop training, save, and let the run go. */
  async close(): Promise<void> {
    await this.stop();
    this.unguard();
  }

  /** Stop training and save; other tabs are still kept out. */
  async stop(): Promise<void> {
    this.host?.receive({ run: this.options.command.run, type: "close" });
    await this.host?.idle();
  }

  private heard(message: TabMessage): void {
    if (message.kind === "handOver") return this.options.onHandOver(message.from);
    if (message.kind !== "join") return;
    this.#watched = true;
    for (const event of replay(this.#view))
      this.#guard?.channel.post({ kind: "event", to: message.from, event: forWatchers(event) });
  }
}

const forWatchers = (event: EventBody): EventBody => (event.type === "opened" ? { ...event, watching: true } : event);
