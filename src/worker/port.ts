/** The channel between the page and a host: a Web Worker, a socket or, in tests, a host in the same process. */
import type { Command } from "./protocol";

/** A message channel to a host. */
export interface Port {
  send(message: Command, transfer: Transferable[]): void;
  listen(receive: (message: unknown) => void): void;
}
