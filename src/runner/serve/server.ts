/**
 * The server of a run: the built page and a WebSocket, on 127.0.0.1 only. Refusals are logged in the terminal with the
 * reason; this server's own page also gets a close code (runnerPort.ts). Every connection has limits of time, every
 * address and the server as a whole limits of number: connections.ts, tabLine.ts.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import { type Duplex, finished } from "node:stream";
import { WebSocketServer } from "ws";
import { MAX_COMMAND_BYTES } from "../../worker/codec";
import { CLOSE_CODES, SOCKET_PATH, SUBPROTOCOL } from "../../worker/runnerPort";
import { type BuiltPage, refuse } from "./builtPage";
import { Connections, MAX_UNSEEN } from "./connections";
import { foreignOrigin, offeredToken, quoted, sameToken, wrongHost } from "./guard";
import type { Hub } from "./hub";
import { limitedLog } from "./limitedLog";
import { RateLimit } from "./rateLimit";
import { leave, TabLines } from "./tabLine";

export const ADDRESS = "127.0.0.1";
/** Maximum number of tabs. */
export const MAX_TABS = 8;
/** Milliseconds between pings; a tab that misses one is disconnected. */
const HEARTBEAT = 30_000;
/** Milliseconds for a request's headers, from the connection or the previous answer on. */
export const HEADERS_TIMEOUT = 5000;
/** Milliseconds for a whole request. Ours have no body. */
const REQUEST_TIMEOUT = 8000;
/** Milliseconds that a connection may stay open without a request. */
const KEEP_ALIVE = 5000;
/** Milliseconds for an answer to be read. The largest file has a few MB. */
export const ANSWER_TIMEOUT = 30_000;
/** Milliseconds without a byte in either direction. */
const SILENCE = 10_000;
/** Bytes of a request's headers. */
const MAX_HEADERS = 16 * 2 ** 10;
/** Tabs that may join at once, and each second after that. */
const JOIN_BURST = 4 * MAX_TABS;
const JOINS_PER_SECOND = 4;
/**
 * Requests of a connection that wait for an answer. Browsers send one at a time; the next may come before we know that
 * the last answer has been sent.
 */
const MAX_UNANSWERED = 2;
/** Milliseconds until a refusal is sent: whoever is refused would come back at once. Until then nothing is read. */
const REFUSAL_DELAY = 300;
/** Milliseconds to close the connections when the server stops. */
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
export async function serveRun({ page, hub, token, port, log: everyLine }: ServerOptions): Promise<RunServer> {
  const log = limitedLog(everyLine);
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_COMMAND_BYTES,
    perMessageDeflate: false,
    // Pings are answered within a tab's rate (tabLine.ts).
    autoPong: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  /** Requests of a connection that are being answered. */
  const answering = new WeakMap<Socket, number>();
  const tabs = new TabLines(hub, log);
  const joins = new RateLimit(JOIN_BURST, JOINS_PER_SECOND);
  const connections = new Connections((count) => log(`closed ${count} connections: too many were open`));
  const server = createServer(
    {
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: MAX_HEADERS,
    },
    (request, response) => {
      const { socket } = request;
      const unanswered = (answering.get(socket) ?? 0) + 1;
      if (unanswered > MAX_UNANSWERED) return void socket.destroy();
      answering.set(socket, unanswered);
      connections.mark(socket, "answering");
      const deadline = setTimeout(() => socket.destroy(), ANSWER_TIMEOUT).unref();
      finished(response, () => {
        clearTimeout(deadline);
        const left = (answering.get(socket) ?? 1) - 1;
        answering.set(socket, left);
        if (left === 0) connections.mark(socket, "idle");
      });
      const wrong = wrongHost(request.headers.host, actualPort(server));
      if (wrong !== null) {
        log(`refused a request: ${wrong}`);
        return later(() => refuse(response, 403, "unknown host"));
      }
      if (hasBody(request)) return later(() => refuse(response, 413, "no request here has a body"));
      page.answer(request, response).catch((error: unknown) => {
        if (response.destroyed) return;
        log(`cannot answer ${quoted(request.url)}: ${reason(error)}`);
        if (!response.headersSent) refuse(response, 500, "cannot read the file");
        else response.destroy();
      });
    },
  );
  server.maxConnections = MAX_UNSEEN;
  server.setTimeout(SILENCE, (socket) => socket.destroy());
  server.on("connection", (socket) => connections.add(socket));
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const no = refusal(request, actualPort(server));
    if (no !== null) {
      log(`refused a connection: ${no}`);
      return later(() => hangUp(socket));
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
      if (!joins.take()) {
        log(`refused a connection: more than ${JOINS_PER_SECOND} tabs a second join`);
        return leave(connection, CLOSE_CODES.flood, `More than ${JOINS_PER_SECOND} tabs a second join`);
      }
      connections.mark(request.socket, "tab");
      // Pings tell whether a tab is still there.
      request.socket.setTimeout(0);
      tabs.welcome(connection);
    });
  });
  const heartbeat = setInterval(() => tabs.beat(), HEARTBEAT);
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

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** Why a socket is refused; null if it may open. */
function refusal({ headers, url }: IncomingMessage, port: number): string | null {
  if (url !== SOCKET_PATH) return `a socket at ${quoted(url)}; expected ${SOCKET_PATH}`;
  return wrongHost(headers.host, port) ?? foreignOrigin(headers.origin, port);
}

const later = (refuse: () => void): void => void setTimeout(refuse, REFUSAL_DELAY).unref();

function hangUp(socket: Duplex): void {
  socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", () => socket.destroy());
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));
