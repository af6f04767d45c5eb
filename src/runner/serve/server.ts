/**
 * The server of a run: the built page and one WebSocket, on 127.0.0.1 only. What is refused is said in the terminal
 * with its reason; a page of this server learns it too, as the close code that `runnerPort.ts` knows.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { CodecError, decodeMessage, encodeMessage, MAX_COMMAND_BYTES } from "../../worker/codec";
import { ProtocolError, parseCommand } from "../../worker/parse";
import { CLOSE_CODES, SOCKET_PATH, SUBPROTOCOL } from "../../worker/runnerPort";
import { type BuiltPage, refuse } from "./builtPage";
import { foreignOrigin, offeredToken, quoted, sameToken, wrongHost } from "./guard";
import type { Hub, Tab } from "./hub";

export const ADDRESS = "127.0.0.1";
/** Tabs at a time. */
export const MAX_TABS = 8;
/**
 * Bytes waiting for a tab that does not read (frozen in the background, say); more, and its line is cut: it joins
 * again.
 */
const MAX_WAITING = 512 * 2 ** 20;
/** Milliseconds between two signs of life; a tab that misses one is gone. */
const HEARTBEAT = 30_000;
/** Milliseconds for a tab to take its leave. */
const LEAVE = 1000;

export interface ServerOptions {
  readonly page: Pick<BuiltPage, "answer">;
  readonly hub: Hub;
  readonly token: string;
  /** 0: any free one. */
  readonly port: number;
  /** One line for the terminal. */
  readonly log: (line: string) => void;
}

export interface RunServer {
  readonly port: number;
  /** The page's address with the token behind "#", which browsers send to nobody. */
  readonly link: string;
  close(): Promise<void>;
}

/** @throws Error when the port is taken */
export async function serveRun({ page, hub, token, port, log }: ServerOptions): Promise<RunServer> {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_COMMAND_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const server = createServer((request, response) => {
    const wrong = wrongHost(request.headers.host, actualPort(server));
    if (wrong !== null) {
      log(`refused a request: ${wrong}`);
      return refuse(response, 403, "this name is not this server's");
    }
    page.answer(request, response).catch((error: unknown) => {
      log(`could not answer ${quoted(request.url)}: ${reason(error)}`);
      if (!response.headersSent) refuse(response, 500, "the file could not be read");
      else response.destroy();
    });
  });
  server.maxConnections = 8 * MAX_TABS;
  server.on("upgrade", (request, socket, head) => {
    const no = refusal(request, actualPort(server));
    if (no !== null) {
      log(`refused a connection: ${no}`);
      return hangUp(socket);
    }
    sockets.handleUpgrade(request, socket, head, (line) => {
      const given = offeredToken(request.headers["sec-websocket-protocol"]);
      if (given === null || !sameToken(given, token)) {
        log(`refused a connection: its token is ${given === null ? "missing" : "wrong"}`);
        return leave(
          line,
          CLOSE_CODES.token,
          "The link's token is not this run's. Open the link that srpo serve printed last.",
        );
      }
      if (hub.size >= MAX_TABS) {
        log(`refused a connection: ${MAX_TABS} tabs show this run already, the most there may be`);
        return leave(line, CLOSE_CODES.full, `${MAX_TABS} tabs show this run already. Close one and reload.`);
      }
      welcome(line, hub, log);
    });
  });
  const heartbeat = setInterval(() => sockets.clients.forEach(beat), HEARTBEAT);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, ADDRESS, resolve);
  });
  const listening = actualPort(server);
  return {
    port: listening,
    link: `http://${ADDRESS}:${listening}/#run=${token}`,
    async close() {
      clearInterval(heartbeat);
      for (const line of sockets.clients) leave(line, CLOSE_CODES.stopped, "srpo serve was stopped");
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), LEAVE).unref();
      });
    },
  };
}

function actualPort(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Why a socket is not even opened; null if it may. */
function refusal({ headers, url }: IncomingMessage, port: number): string | null {
  if (url !== SOCKET_PATH) return `a socket at ${quoted(url)}; the run's is at ${SOCKET_PATH}`;
  return wrongHost(headers.host, port) ?? foreignOrigin(headers.origin, port);
}

function hangUp(socket: Duplex): void {
  socket.on("error", () => socket.destroy());
  socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

/** Close with a reason; a line that does not answer is cut. */
function leave(line: WebSocket, code: number, why: string): void {
  line.on("error", () => line.terminate());
  line.close(code, shortened(why));
  setTimeout(() => line.terminate(), LEAVE).unref();
}

/** A close frame holds 123 bytes. */
function shortened(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return bytes.length <= 123 ? text : `${new TextDecoder().decode(bytes.subarray(0, 117)).replace(/\ufffd+$/, "")}…`;
}

/** Lines that have given a sign of life since the last beat. */
const alive = new WeakSet<WebSocket>();

function beat(line: WebSocket): void {
  if (!alive.delete(line)) return line.terminate();
  line.ping();
}

function welcome(line: WebSocket, hub: Hub, log: (text: string) => void): void {
  const tab: Tab = {
    send(event) {
      if (line.readyState !== line.OPEN) return;
      if (line.bufferedAmount > MAX_WAITING) {
        log(`cut off a tab that reads nothing: ${line.bufferedAmount} bytes were waiting`);
        return line.terminate();
      }
      line.send(encodeMessage(event));
    },
  };
  alive.add(line);
  hub.join(tab);
  log(`a tab joined and ${hub.steers(tab) ? "steers" : "watches"} (${hub.size} open)`);
  line.on("pong", () => alive.add(line));
  line.on("message", (data, isBinary) => {
    alive.add(line);
    // What was on its way when the line was closed.
    if (line.readyState !== line.OPEN) return;
    try {
      if (!isBinary) throw new ProtocolError("a text message; the protocol is binary");
      hub.receive(tab, parseCommand(decodeMessage(bytesOf(data), MAX_COMMAND_BYTES)));
    } catch (error) {
      if (!(error instanceof CodecError || error instanceof ProtocolError)) throw error;
      log(`cut off a tab: malformed message: ${quoted(error.message)}`);
      leave(line, CLOSE_CODES.malformed, `Malformed message: ${error.message}`);
    }
  });
  line.on("error", (error) => {
    log(
      "code" in error && error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"
        ? `cut off a tab: a message above ${MAX_COMMAND_BYTES} bytes`
        : `a tab's line failed: ${quoted(error.message)}`,
    );
  });
  line.on("close", () => {
    hub.leave(tab);
    log(`a tab left (${hub.size} open)`);
  });
}

function bytesOf(data: RawData): Uint8Array {
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : Array.isArray(data)
      ? new Uint8Array(Buffer.concat(data))
      : data;
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
