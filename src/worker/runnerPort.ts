/**
 * The page's line to a run that lives in the runner (`srpo serve`): the worker's protocol over a WebSocket. To the
 * client it is a port like any other; what a socket has and a worker has not, the line that breaks, is told as
 * `connection` events. When the line is back the run is joined again, and the runner answers with `opened` and where
 * the run stands now.
 */

import { decodeMessage, encodeMessage, MAX_EVENT_BYTES } from "./codec";
import type { Port } from "./port";
import type { Command, Event } from "./protocol";

/** The subprotocol both sides speak; the token travels as a second one, so that no address ever holds it. */
export const SUBPROTOCOL = "srpo.v1";
export const TOKEN_PREFIX = "token.";
/** Where on the server the socket is. */
export const SOCKET_PATH = "/run";

/** Why the runner ends a connection. After `token` and `full` there is no use in trying again. */
export const CLOSE_CODES = { malformed: 4400, token: 4401, full: 4429, tooLarge: 1009, stopped: 1001 } as const;
const FINAL: ReadonlySet<number> = new Set([CLOSE_CODES.token, CLOSE_CODES.full]);

/** What is used of a WebSocket; the browser's and npm's `ws` both have it. */
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
/** Milliseconds between two tries: doubled from the first to the last. */
const FIRST_WAIT = 500;
const LAST_WAIT = 8000;

export class RunnerPort implements Port {
  #receive: (message: unknown) => void = () => undefined;
  #socket: Socket | null = null;
  /** What joins the run: sent first on every new line. */
  #open: Extract<Command, { type: "open" }> | null = null;
  #watch: Extract<Command, { type: "observe" }> | null = null;
  #wait = FIRST_WAIT;
  #retry: ReturnType<typeof setTimeout> | null = null;
  #told = false;
  #ended = false;

  /**
   * @param connect begins a new connection
   * @param onFault told of messages that cannot be decoded
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
    if (command.type === "observe") this.#watch = command;
    if (this.#socket?.readyState === OPEN) this.#socket.send(encodeMessage(command));
    else if (command.type === "open") this.begin();
    else if (command.type !== "observe" && command.type !== "close")
      this.tell({
        type: "error",
        fatal: false,
        message: `The runner cannot be reached: "${command.type}" was not sent.`,
      });
  }

  /** Hang up for good. */
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
      this.#told = false;
      for (const command of [this.#open, this.#watch]) if (command !== null) socket.send(encodeMessage(command));
    });
    socket.addEventListener("message", ({ data }) => {
      try {
        this.#receive(decodeMessage(bytesOf(data), MAX_EVENT_BYTES));
      } catch (error) {
        this.onFault(
          new Error(
            `A message from the runner could not be read: ${error instanceof Error ? error.message : String(error)}`,
          ),
        );
      }
    });
    // Every error is followed by a close, which is where it is told.
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
    if (!this.#told)
      this.tell({
        type: "connection",
        state: "lost",
        message: reason === "" ? "The runner does not answer." : `${reason}.`,
      });
    this.#told = true;
    this.#retry = setTimeout(() => this.begin(), this.#wait);
    this.#wait = Math.min(LAST_WAIT, 2 * this.#wait);
  }

  private tell(event: Event extends infer E ? (E extends Event ? Omit<E, "run"> : never) : never): void {
    if (this.#open !== null) this.#receive({ ...event, run: this.#open.run });
  }
}

/** @throws Error when the message is text: this protocol has none */
function bytesOf(data: unknown): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new Error(`it is ${typeof data === "string" ? "text" : "of no known kind"}, expected bytes`);
}
