/**
 * Slow, many, flooding and non-reading connections: they are cut, and meanwhile the page is given and a tab is heard.
 * `npm run attack -- serve` does the same to a run that trains, from another process.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { decodeMessage, encodeMessage, MAX_EVENT_BYTES } from "../../worker/codec";
import type { Command, Event } from "../../worker/protocol";
import { CLOSE_CODES, SOCKET_PATH, SUBPROTOCOL, TOKEN_PREFIX } from "../../worker/runnerPort";
import { BuiltPage } from "./builtPage";
import { MAX_CONNECTIONS, MAX_PER_ADDRESS } from "./connections";
import { newToken } from "./guard";
import { HOST_RUN, Hub } from "./hub";
import { HEADERS_TIMEOUT, type RunServer, serveRun } from "./server";
import { MAX_EXCESS, MAX_WAITING, MESSAGE_BURST } from "./tabLine";

// Tens of megabytes through sockets, beside other tests.
vi.setConfig({ testTimeout: 60_000 });

const token = newToken();
/** Larger than what the kernel keeps for a connection. */
const LARGE = 24 * 2 ** 20;
let folder: string;
let hub: Hub;
let server: RunServer;
let commands: Command[];
let log: string[];
let sockets: (Socket | WebSocket)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-floods-"));
  await writeFile(join(folder, "index.html"), "the page");
  await writeFile(join(folder, "large.bin"), new Uint8Array(LARGE));
  [commands, log, sockets] = [[], [], []];
  const [heard, said] = [commands, log];
  hub = new Hub({
    policy: "policies/tiny",
    data: null,
    command: (command) => heard.push(command),
    write: async () => "",
    largestExport: 1000,
  });
  hub.post({ run: HOST_RUN, type: "error", fatal: true, message: "the run's state" });
  server = await serveRun({
    page: await BuiltPage.open(folder),
    hub,
    token,
    port: 0,
    log: (line) => said.push(line),
  });
});
afterEach(async () => {
  for (const socket of sockets) {
    if (socket instanceof WebSocket) socket.terminate();
    else socket.destroy();
  }
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** A raw connection; `closed` says when the server has cut it. */
function raw(text = ""): { readonly socket: Socket; readonly closed: Promise<void>; heard(): string } {
  const socket = connect({ host: "127.0.0.1", port: server.port });
  sockets.push(socket);
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1").slice(0, 1000);
  });
  socket.on("error", () => socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  if (text !== "") socket.write(text);
  return { socket, closed, heard: () => heard };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`;

async function loadPage(): Promise<string> {
  const agent = new Agent();
  const text = await new Promise<string>((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port: server.port, path: "/", agent }, (answer) => {
      let body = "";
      answer.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      answer.on("end", () => resolve(body));
    });
    asking.on("error", reject);
    asking.end();
  });
  agent.destroy();
  return text;
}

interface Joined {
  readonly socket: WebSocket;
  readonly events: Event[];
  readonly closed: Promise<number>;
}

async function joined(): Promise<Joined> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}${SOCKET_PATH}`, [SUBPROTOCOL, TOKEN_PREFIX + token], {
    origin: `http://127.0.0.1:${server.port}`,
  });
  sockets.push(socket);
  const events: Event[] = [];
  socket.on("message", (data) => {
    if (Buffer.isBuffer(data)) events.push(decodeMessage(data, MAX_EVENT_BYTES) as Event);
  });
  socket.on("error", () => socket.terminate());
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await new Promise((resolve) => socket.once("open", resolve));
  const open: Command = {
    run: "tab",
    type: "open",
    source: { kind: "files", files: [] },
    settings: {},
    backend: null,
    resume: true,
  };
  socket.send(encodeMessage(open));
  await vi.waitFor(() => expect(events.length).toBeGreaterThan(0));
  return { socket, events, closed };
}

describe("connections", () => {
  test("that send nothing, or headers byte by byte, are cut after seconds", { timeout: 30_000 }, async () => {
    const silent = raw();
    const slow = raw("GET / HTTP/1.1\r\n");
    const trickle = setInterval(() => slow.socket.destroyed || slow.socket.write("x"), 100);
    const began = performance.now();
    await Promise.all([silent.closed, slow.closed]);
    clearInterval(trickle);
    expect(performance.now() - began).toBeLessThan(HEADERS_TIMEOUT + 10_000);
    expect(hub.size).toBe(0);
  });

  test("beyond the cap give way to newer ones: the page is given, and a tab stays", { timeout: 30_000 }, async () => {
    const tab = await joined();
    const many = Array.from({ length: 3 * MAX_CONNECTIONS }, () => raw());
    const isClosed = many.map(() => false);
    many.forEach(({ closed }, i) => void closed.then(() => (isClosed[i] = true)));
    await vi.waitFor(() => expect(isClosed.filter((each) => !each).length).toBeLessThanOrEqual(MAX_PER_ADDRESS), 4000);
    expect(await loadPage()).toBe("the page");
    expect(tab.socket.readyState).toBe(WebSocket.OPEN);
    expect(log).toContainEqual(expect.stringMatching(/^closed \d+ connections: too many were open/));
  });

  test("with answers that are not read hold a part of the file, and the page is given", {
    timeout: 30_000,
  }, async () => {
    const before = process.memoryUsage();
    for (let i = 0; i < 40; i++) raw(get("/large.bin")).socket.pause();
    await sleep(500);
    expect(await loadPage()).toBe("the page");
    const now = process.memoryUsage();
    expect(now.external + now.arrayBuffers - before.external - before.arrayBuffers).toBeLessThan(4 * LARGE);
  });

  test("that ask without waiting for answers are cut", async () => {
    const one = raw(get("/large.bin").repeat(100));
    one.socket.pause();
    await sleep(200);
    one.socket.resume();
    await one.closed;
    expect(one.heard().split("HTTP/1.1 200").length).toBeLessThan(10);
    expect(await loadPage()).toBe("the page");
  });

  test("with a body are refused, and with a bomb of headers", async () => {
    const body = raw(`POST / HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    const bomb = raw(`GET / HTTP/1.1\r\n${"x: [[[[\r\n".repeat(100_000)}`);
    await Promise.all([body.closed, bomb.closed]);
    expect(body.heard()).toMatch(/^HTTP\/1.1 413 /);
    expect(bomb.heard()).toMatch(/^(HTTP\/1.1 431 .*|)$/s);
  });
});

describe("a tab", () => {
  test("that floods is refused in words, then disconnected; the run hears what its rate allows", async () => {
    const tab = await joined();
    const step = encodeMessage({ run: "tab", type: "step" });
    for (let i = 0; i < MESSAGE_BURST + 100; i++) tab.socket.send(step);
    await vi.waitFor(() =>
      expect(tab.events).toContainEqual(
        expect.objectContaining({ type: "error", fatal: false, message: expect.stringMatching(/^Some commands were/) }),
      ),
    );
    for (let i = 0; i < MAX_EXCESS + 100; i++) tab.socket.send(step);
    expect(await tab.closed).toBe(CLOSE_CODES.flood);
    expect(commands.filter(({ type }) => type === "step").length).toBeLessThan(2 * MESSAGE_BURST);
    await vi.waitFor(() => expect(hub.size).toBe(0));
  });

  test("that floods with pings is disconnected", async () => {
    const tab = await joined();
    for (let i = 0; i < MESSAGE_BURST + MAX_EXCESS + 100; i++) tab.socket.ping("x".repeat(125));
    expect(await tab.closed).toBe(CLOSE_CODES.flood);
  });

  test("that does not read is disconnected within the bound; another one hears everything", {
    timeout: 30_000,
  }, async () => {
    const [frozen, reading] = [await joined(), await joined()];
    frozen.socket.pause();
    const bytes = 4 * 2 ** 20;
    const count = 2 * (MAX_WAITING / bytes);
    for (let i = 0; i < count; i++) {
      hub.post({ run: HOST_RUN, type: "error", fatal: false, message: "x".repeat(bytes) });
      await vi.waitFor(() => expect(reading.events.length).toBeGreaterThan(i + 1), { timeout: 5000, interval: 5 });
    }
    expect(log).toContainEqual(expect.stringMatching(/^disconnected a tab that does not read: \d+ bytes were waiting/));
    const waiting = log.flatMap((line) => /not read: (\d+)/.exec(line)?.[1] ?? []).map(Number);
    expect(Math.max(...waiting)).toBeLessThanOrEqual(MAX_WAITING);
    expect(hub.size).toBe(1);
  });

  test("gets words in place of an event that is too large to wait for it", async () => {
    const tab = await joined();
    hub.post({ run: HOST_RUN, type: "error", fatal: false, message: "x".repeat(MAX_WAITING) });
    await vi.waitFor(() => expect(tab.events).toHaveLength(2));
    expect(tab.events[1]).toMatchObject({
      type: "error",
      message: expect.stringMatching(/cannot show this \(error\)/),
    });
  });
});
