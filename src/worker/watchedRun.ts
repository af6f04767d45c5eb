/** A run that another tab of this browser owns: shown here, and taken over when asked, or when the owner is gone. */
import { guardName } from "./ownedRun";
import type { EventBody } from "./runLifecycle";
import { type Answer, openTabChannel, type TabChannel, type TabMessage } from "./tabChannel";
import { type HeldLock, waitForLock } from "./tabLock";

/** Milliseconds in which an owner must answer before its run is taken from it: it may be frozen. */
const ANSWER_PATIENCE = 4000;
/** Milliseconds in which an owner that has answered must have saved its run. */
const SAVING_PATIENCE = 60_000;

export interface WatchedRunOptions {
  readonly id: string;
  /** This tab, in messages to others. */
  readonly tab: string;
  readonly locks: LockManager;
  readonly onEvent: (event: EventBody) => void;
  /** The owner is gone: the run is this tab's. */
  readonly onFree: (lock: HeldLock) => void;
  /** The wait for the owner's end failed. */
  readonly onFault: (error: unknown) => void;
}

export class WatchedRun {
  readonly #channel: TabChannel;
  readonly #waiting = new AbortController();
  #onAnswer: (answer: Answer) => void = () => undefined;

  constructor(private readonly options: WatchedRunOptions) {
    const { id, tab, locks, onFree, onFault } = options;
    this.#channel = openTabChannel(guardName(id), (message) => this.heard(message));
    this.#channel.post({ kind: "join", from: tab });
    waitForLock(locks, guardName(id), this.#waiting.signal).then((lock) => {
      if (lock !== null) onFree(lock);
    }, onFault);
  }

  get id(): string {
    return this.options.id;
  }

  stop(): void {
    this.#waiting.abort();
    this.#channel.close();
  }

  /** Ask the owner to save the run and let it go. → "silent": it does not answer and may be taken from it */
  askForRun(): Promise<"free" | "unsaved" | "silent"> {
    return new Promise((resolve) => {
      let timer = setTimeout(() => resolve("silent"), ANSWER_PATIENCE);
      this.#onAnswer = (answer) => {
        clearTimeout(timer);
        if (answer === "closing") timer = setTimeout(() => resolve("silent"), SAVING_PATIENCE);
        else resolve(answer);
      };
      this.#channel.post({ kind: "handOver", from: this.options.tab });
    });
  }

  private heard(message: TabMessage): void {
    const { tab, onEvent } = this.options;
    if (message.kind === "owner") this.#channel.post({ kind: "join", from: tab });
    if (message.kind === "event" && (message.to === null || message.to === tab)) onEvent(message.event);
    if (message.kind === "answer" && message.to === tab) this.#onAnswer(message.answer);
  }
}
