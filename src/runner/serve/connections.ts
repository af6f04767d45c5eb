/**
 * How many connections a server holds, and which it gives up for a new one. On loopback a browser and whatever attacks
 * it share one address, so refusing the newest would keep the page out: the connections that deserve it least are
 * closed instead. First those that have not sent a whole request, then idle ones, then those in the middle of an
 * answer, each oldest first; never a tab.
 */
import type { Socket } from "node:net";

/** Maximum connections in all. */
export const MAX_CONNECTIONS = 128;
/** Maximum connections of one address: eight tabs, each with the six connections that a browser opens to a host. */
export const MAX_PER_ADDRESS = 64;
/** Above this, new connections are not even looked at. */
export const MAX_UNSEEN = 1024;
/**
 * Milliseconds between a connection and the decision which one to give up: a browser's first request has arrived by
 * then.
 */
const GRACE = 20;

/** Least deserving first. */
const STATES = ["silent", "idle", "answering", "tab"] as const;
export type ConnectionState = (typeof STATES)[number];

interface Held {
  state: ConnectionState;
  /** Rises with every change of state: the oldest has the lowest. */
  order: number;
  readonly address: string;
}

export class Connections {
  readonly #held = new Map<Socket, Held>();
  #order = 0;
  #sweep: NodeJS.Timeout | null = null;

  /** @param onClosed called with the number of connections given up at a time */
  constructor(private readonly onClosed: (count: number) => void) {}

  get size(): number {
    return this.#held.size;
  }

  add(socket: Socket): void {
    this.#held.set(socket, { state: "silent", order: this.#order++, address: socket.remoteAddress ?? "" });
    socket.once("close", () => this.#held.delete(socket));
    if (this.#held.size > MAX_PER_ADDRESS) this.#sweep ??= setTimeout(() => this.sweep(), GRACE).unref();
  }

  /** The state of a connection; null when it is closed. */
  state(socket: Socket): ConnectionState | null {
    return this.#held.get(socket)?.state ?? null;
  }

  mark(socket: Socket, state: ConnectionState): void {
    const held = this.#held.get(socket);
    if (held === undefined) return;
    held.state = state;
    held.order = this.#order++;
  }

  private sweep(): void {
    this.#sweep = null;
    const counts = new Map<string, number>();
    for (const { address } of this.#held.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const rank = ({ state, order }: Held): number => STATES.indexOf(state) * 2 ** 48 + order;
    const candidates = [...this.#held]
      .filter(([, { state }]) => state !== "tab")
      .sort(([, a], [, b]) => rank(a) - rank(b));
    let total = this.#held.size;
    let closed = 0;
    const close = (socket: Socket, address: string): void => {
      counts.set(address, (counts.get(address) ?? 0) - 1);
      total--;
      closed++;
      this.#held.delete(socket);
      socket.destroy();
    };
    for (const [socket, { address }] of candidates)
      if ((counts.get(address) ?? 0) > MAX_PER_ADDRESS) close(socket, address);
    for (const [socket, { address }] of candidates)
      if (total > MAX_CONNECTIONS && this.#held.has(socket)) close(socket, address);
    if (closed > 0) this.onClosed(closed);
  }
}
