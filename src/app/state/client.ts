/** What the page needs of the training client; the worker's client satisfies it, and so does a script. */
import type { CommandBody } from "../../worker/client";
import type { Event } from "../../worker/protocol";

export interface TrainingClient {
  send(command: CommandBody): void;
  /** Begin another run: events of the old one are dropped from now on. */
  renew(run: string): void;
  /** Returns the function that stops listening. */
  subscribe(listener: (event: Event) => void): () => void;
  /** Replace the engine by a fresh one, without a run; what was sent to the old one is lost. */
  restart(): void;
  /** Stop the engine; "restart" brings one back. */
  stop(): void;
  close(): void;
}
