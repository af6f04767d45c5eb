/**
 * A tab's connection after its token has been checked. What it may send is limited by rate, what waits for it by bytes:
 * neither a flood nor a reader that does not read may slow the training down or fill the memory.
 */
import type { RawData, WebSocket } from "ws";
import { CodecError, decodeMessage, encodeMessage, MAX_COMMAND_BYTES } from "../../worker/codec";
import { ProtocolError, parseCommand } from "../../worker/parse";
import type { Command, Event } from "../../worker/protocol";
import { CLOSE_CODES } from "../../worker/runnerPort";
import { quoted } from "./guard";
import type { Hub, Tab } from "./hub";
import { RateLimit } from "./rateLimit";

/**
 * Maximum bytes queued for all tabs together; above it, the tab for which most are waiting is disconnected. It rejoins
 * when it reads again, e.g. after it was frozen in the background.
 */
export const MAX_WAITING = 32 * 2 ** 20;
/** Messages of a tab at once, and each second after that: a slider that is dragged sends one a frame. */
export const MESSAGE_BURST = 120;
export const MESSAGES_PER_SECOND = 60;
/** Bytes of a tab at once, and each second after that. */
export const BYTE_BURST = 512 * 2 ** 10;
export const BYTES_PER_SECOND = 128 * 2 ** 10;
/** Messages too many after which a tab is disconnected; those before are refused in words. */
export const MAX_EXCESS = 240;
/** Joining costs as much as so many messages: it is answered with the state of the run. */
const JOIN_COST = 30;
/** Milliseconds for a tab to join after it has connected. */
export const JOIN_TIMEOUT = 10_000;
/** Milliseconds to close a connection cleanly. */
const LEAVE = 1000;
/** Milliseconds between words about refused messages. */
const TELL_EVERY = 1000;

/** Close with a reason; terminate a connection that does not answer. What it still sends is not read. */
export function leave(connection: WebSocket, code: number, why: string): void {
  connection.on("error", () => connection.terminate());
  connection.close(code, shortened(why));
  setTimeout(() => connection.terminate(), LEAVE).unref();
}

/** A close frame holds 123 bytes. */
function shortened(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return bytes.length <= 123 ? text : `${new TextDecoder().decode(bytes.subarray(0, 117)).replace(/\ufffd+$/, "")}…`;
}

/** The tabs of one server. */
export class TabLines {
  readonly #lines = new Set<WebSocket>();
  /** Connections that have answered since the last ping. */
  readonly #alive = new WeakSet<WebSocket>();

  constructor(
    private readonly hub: Hub,
    private readonly log: (line: string) => void,
  ) {}

  /** Ping every tab; disconnect those that have not answered the last ping. */
  beat(): void {
    for (const connection of this.#lines) {
      if (this.#alive.delete(connection)) connection.ping();
      else connection.terminate();
    }
  }

  welcome(connection: WebSocket): void {
    const { hub, log } = this;
    const tab: Tab = { send: (event) => this.send(connection, event) };
    const messages = new RateLimit(MESSAGE_BURST, MESSAGES_PER_SECOND);
    const bytes = new RateLimit(BYTE_BURST, BYTES_PER_SECOND);
    const telling = new RateLimit(1, 1000 / TELL_EVERY);
    let run: string | null = null;
    let excess = 0;
    /** Whether a message is within the rates; if not, it is refused in words, or the tab is disconnected. */
    const within = (cost: number, size: number): boolean => {
      if (messages.take(cost) && bytes.take(size)) {
        excess = Math.max(0, excess - 1);
        return true;
      }
      if (++excess > MAX_EXCESS) {
        log(`disconnected a tab: more than ${MESSAGES_PER_SECOND} messages a second`);
        leave(connection, CLOSE_CODES.flood, `More than ${MESSAGES_PER_SECOND} messages a second`);
        // A closing line need not be read: what it still holds is lost with it.
        connection.pause();
      } else if (run !== null && telling.take()) {
        this.send(connection, {
          run,
          type: "error",
          fatal: false,
          message:
            `Some commands were refused: this tab sends more than ${MESSAGES_PER_SECOND} messages or ` +
            `${BYTES_PER_SECOND >> 10} KB a second. Send fewer.`,
        });
      }
      return false;
    };
    const deadline = setTimeout(() => {
      log("disconnected a tab that did not join");
      leave(connection, CLOSE_CODES.malformed, `No "open" within ${JOIN_TIMEOUT / 1000} s`);
    }, JOIN_TIMEOUT).unref();
    this.#lines.add(connection);
    this.#alive.add(connection);
    hub.join(tab);
    log(`a tab joined and ${hub.steers(tab) ? "steers" : "watches"} (${hub.size} open)`);
    connection.on("pong", () => {
      if (connection.readyState === connection.OPEN && within(1, 0)) this.#alive.add(connection);
    });
    connection.on("ping", (data: Buffer) => {
      if (connection.readyState === connection.OPEN && within(1, data.length)) connection.pong(data);
    });
    connection.on("message", (data, isBinary) => {
      // Ignore what arrives after closing.
      if (connection.readyState !== connection.OPEN) return;
      const content = bytesOf(data);
      if (!within(1, content.length)) return;
      this.#alive.add(connection);
      try {
        if (!isBinary) throw new ProtocolError("a text message; the protocol is binary");
        const command: Command = parseCommand(decodeMessage(content, MAX_COMMAND_BYTES));
        if (command.type === "open" && !within(JOIN_COST, 0)) return;
        if (command.type === "open") {
          clearTimeout(deadline);
          run = command.run;
        }
        hub.receive(tab, command);
      } catch (error) {
        if (!(error instanceof CodecError || error instanceof ProtocolError)) throw error;
        log(`disconnected a tab: malformed message: ${quoted(error.message)}`);
        leave(connection, CLOSE_CODES.malformed, `Malformed message: ${error.message}`);
      }
    });
    connection.on("error", (error) => {
      log(
        "code" in error && error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"
          ? `disconnected a tab: a message above ${MAX_COMMAND_BYTES} bytes`
          : `a tab's connection failed: ${quoted(error.message)}`,
      );
    });
    connection.on("close", () => {
      clearTimeout(deadline);
      this.#lines.delete(connection);
      hub.leave(tab);
      log(`a tab left (${hub.size} open)`);
    });
  }

  private send(connection: WebSocket, event: Event): void {
    if (connection.readyState !== connection.OPEN) return;
    const message = withinBound(event);
    let waiting = message.length;
    for (const line of this.#lines) waiting += line.bufferedAmount;
    while (waiting > MAX_WAITING) {
      const [slowest] = [...this.#lines].sort((a, b) => b.bufferedAmount - a.bufferedAmount);
      if (slowest === undefined) break;
      waiting -= slowest.bufferedAmount;
      this.log(`disconnected a tab that does not read: ${slowest.bufferedAmount} bytes were waiting`);
      this.#lines.delete(slowest);
      slowest.terminate();
    }
    if (connection.readyState === connection.OPEN) connection.send(message);
  }
}

/** An event as bytes; one that is too large becomes words. */
function withinBound(event: Event): Uint8Array {
  const message = encodeMessage(event);
  if (message.length <= MAX_WAITING) return message;
  return encodeMessage({
    run: event.run,
    type: "error",
    fatal: false,
    message:
      `The runner cannot show this (${event.type}): ${message.length >> 20} MB, more than the ${MAX_WAITING >> 20} ` +
      "MB that a tab may receive at a time. The files in the run's folder are complete.",
  } satisfies Event);
}

function bytesOf(data: RawData): Uint8Array {
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : Array.isArray(data)
      ? new Uint8Array(Buffer.concat(data))
      : data;
}
