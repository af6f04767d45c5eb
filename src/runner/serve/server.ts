/**
 * The server of a run: the built page and a WebSocket, on 127.0.0.1 only. Refusals are logged in the terminal with the
 * reason; this server's own page also gets a close code (runnerPort.ts).
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
/** Maximum number of tabs. */
export const MAX_TABS = 8;
/**
 * Maximum bytes queued for a tab that does not read, e.g. frozen in the background; it is then disconnected and
 * rejoins.
 */
const MAX_WAITING = 512 * 2 ** 20;
/** Milliseconds between pings; a tab that misses one is disconnected. */
const HEARTBEAT = 30_000;
/** Milliseconds to close a connection cleanly. */
const LEAVE = 1000;

export interface ServerOptions {
  readonly page: Pick<BuiltPage, "answer">;
  readonly hub: Hub;
  readonly token: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** One line for the terminal. */
  readonly log: (line: string) => void;
}

export interface RunServer {
  readonly port: number;
  /** The page's address with the token after "#", which browsers do not send. */
  readonly link: string;
  close(): Promise<void>;
}

/** @throws Error when the port is in use */
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
      return refuse(response, 403, "unknown host");
    }
    page.answer(request, response).catch((error: unknown) => {
      log(`cannot answer ${quoted(request.url)}: ${reason(error)}`);
      if (!response.headersSent) refuse(response, 500, "cannot read the file");
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
    sockets.handleUpgrade(request, socket, head, (connection) => {
      const given = offeredToken(request.headers["sec-websocket-protocol"]);
      if (given === null || !sameToken(given, token)) {
        log(`refused a connection: its token is ${given === null ? "missing" : "wrong"}`);
        return leave(
          connection,
          CLOSE_CODES.token,
          "This link is for another run. Open the link that srpo serve printed last.",
        );
      }
      if (hub.size >= MAX_TABS) {
        log(`refused a connection: ${MAX_TABS} tabs are already open, the maximum`);
        return leave(connection, CLOSE_CODES.full, `${MAX_TABS} tabs already show this run. Close one and reload.`);
      }
      welcome(connection, hub, log);
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
      for (const connection of sockets.clients) leave(connection, CLOSE_CODES.stopped, "srpo serve was stopped");
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

/** Why a socket is refused; null if it may open. */
function refusal({ headers, url }: IncomingMessage, port: number): string | null {
  if (url !== SOCKET_PATH) return `a socket at ${quoted(url)}; expected ${SOCKET_PATH}`;
  return wrongHost(headers.host, port) ?? foreignOrigin(headers.origin, port);
}

function hangUp(socket: Duplex): void {
  socket.on("error", () => socket.destroy());
  socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

/** Close with a reason; terminate a connection that does not answer. */
function leave(connection: WebSocket, code: number, why: string): void {
  connection.on("error", () => connection.terminate());
  connection.close(code, shortened(why));
  setTimeout(() => connection.terminate(), LEAVE).unref();
}

/** A close frame holds 123 bytes. */
function shortened(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return bytes.length <= 123 ? text : `${new TextDecoder().decode(bytes.subarray(0, 117)).replace(/\ufffd+$/, "")}…`;
}

/** Connections that have answered since the last ping. */
const alive = new WeakSet<WebSocket>();

function beat(connection: WebSocket): void {
  if (!alive.delete(connection)) return connection.terminate();
  connection.ping();
}

function welcome(connection: WebSocket, hub: Hub, log: (text: string) => void): void {
  const tab: Tab = {
    send(event) {
      if (connection.readyState !== connection.OPEN) return;
      if (connection.bufferedAmount > MAX_WAITING) {
        log(`disconnected a tab that does not read: ${connection.bufferedAmount} bytes were waiting`);
        return connection.terminate();
      }
      connection.send(encodeMessage(event));
    },
  };
  alive.add(connection);
  hub.join(tab);
  log(`a tab joined and ${hub.steers(tab) ? "steers" : "watches"} (${hub.size} open)`);
  connection.on("pong", () => alive.add(connection));
  connection.on("message", (data, isBinary) => {
    alive.add(connection);
    // Ignore what arrives after closing.
    if (connection.readyState !== connection.OPEN) return;
    try {
      if (!isBinary) throw new ProtocolError("a text message; the protocol is binary");
      hub.receive(tab, parseCommand(decodeMessage(bytesOf(data), MAX_COMMAND_BYTES)));
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
