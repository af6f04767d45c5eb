/**
 * The page's connection to a run in the runner (`srpo serve`): the worker's protocol over a WebSocket. A lost
 * connection is reported as `connection` events. After reconnecting, the page joins the run again, and the runner
 * answers with `opened` and the current state.
 */
import { decodeMessage, encodeMessage, MAX_EVENT_BYTES } from "./codec";
import type { Port } from "./port";
import type { Command, Event } from "./protocol";

/** The subprotocol; the token is sent as a second one, so it is never in an address. */
export const SUBPROTOCOL = "srpo.v1";
export const TOKEN_PREFIX = "token.";
/** Path of the socket on the server. */
export const SOCKET_PATH = "/run";

/** Why the runner closes a connection. After `token` and `full` the page does not reconnect. */
export const CLOSE_CODES = {
  malformed: 4400,
  token: 4401,
  full: 4429,
  flood: 4430,
  tooLarge: 1009,
  stopped: 1001,
} as const;
const FINAL: ReadonlySet<number> = new Set([CLOSE_CODES.token, CLOSE_CODES.full]);

/** The part of WebSocket that we use; the browser's and npm's `ws` both have it. */
export interface Socket {
  binaryType: string;
  readonly readyState: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string }) => void): void;
}

const OPEN = 1;
/** Milliseconds between attempts, doubling from the first to the last. */
const FIRST_WAIT = 500;
const LAST_WAIT = 8000;

export class RunnerPort implements Port {
  #receive: (message: unknown) => void = () => undefined;
  #socket: Socket | null = null;
  /** Joins the run; sent first on every new connection. */
  #open: Extract<Command, { type: "open" }> | null = null;
  #observe: Extract<Command, { type: "observe" }> | null = null;
  #wait = FIRST_WAIT;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #reported = false;
  #ended = false;

  /**
   * @param connect opens a new connection
   * @param onFault called for messages that cannot be decoded
   */
  constructor(
    private readonly connect: () => Socket,
    private readonly onFault: (error: Error) => void,
  ) {}

  listen(receive: (message: unknown) => void): void {
    this.#receive = receive;
  }

  send(command: Command): void {
    if (command.type === "open") this.#open = { ...command, resume: true };
    if (command.type === "observe") this.#observe = command;
    if (this.#socket?.readyState === OPEN) this.#socket.send(encodeMessage(command));
    else if (command.type === "open") this.begin();
    else if (command.type !== "observe" && command.type !== "close")
      this.tell({
        type: "error",
        fatal: false,
        message: `Not connected to the runner: "${command.type}" was not sent.`,
      });
  }

  /** Disconnect for good. */
  end(): void {
    this.#ended = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#socket?.close();
  }

  private begin(): void {
    if (this.#ended || this.#socket !== null) return;
    const socket = this.connect();
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      this.#wait = FIRST_WAIT;
      this.#reported = false;
      for (const command of [this.#open, this.#observe]) if (command !== null) socket.send(encodeMessage(command));
    });
    socket.addEventListener("message", ({ data }) => {
      try {
        this.#receive(decodeMessage(bytesOf(data), MAX_EVENT_BYTES));
      } catch (error) {
        this.onFault(
          new Error(
            `Received an unreadable message from the runner: ${error instanceof Error ? error.message : String(error)}`,
          ),
        );
      }
    });
    // Every error is followed by a close, which reports it.
    socket.addEventListener("error", () => undefined);
    socket.addEventListener("close", ({ code, reason }) => this.lost(code, reason));
  }

  private lost(code: number, reason: string): void {
    this.#socket = null;
    if (this.#ended) return;
    if (FINAL.has(code)) {
      this.#ended = true;
      return this.tell({ type: "connection", state: "refused", message: reason });
    }
    if (!this.#reported)
      this.tell({
        type: "connection",
        state: "lost",
        message: reason === "" ? "The runner is not responding." : `${reason}.`,
      });
    this.#reported = true;
    this.#retry = setTimeout(() => this.begin(), this.#wait);
    this.#wait = Math.min(LAST_WAIT, 2 * this.#wait);
  }

  private tell(event: Event extends infer E ? (E extends Event ? Omit<E, "run"> : never) : never): void {
    if (this.#open !== null) this.#receive({ ...event, run: this.#open.run });
  }
}

/** @throws Error for text: the protocol is binary */
function bytesOf(data: unknown): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new Error(`${typeof data === "string" ? "text" : "an unknown type"}; expected bytes`);
}
