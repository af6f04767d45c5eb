/**
 * What is done to a server, by name. Each flood gets a target and keeps going until its process is killed; it holds the
 * link's token where a tab would, since another user's process has the port, and a clumsy page has the token too.
 */
import { connect, type Socket } from "node:net";
import { setTimeout as after } from "node:timers/promises";
import { WebSocket } from "ws";
import { encodeMessage } from "../../worker/codec";
import { type Command, defaultSettings } from "../../worker/protocol";
import { SOCKET_PATH, SUBPROTOCOL, TOKEN_PREFIX } from "../../worker/runnerPort";

export interface Target {
  readonly port: number;
  readonly token: string;
  /** Path of the largest file that the server gives. */
  readonly largest: string;
}

type Flood = (target: Target) => Promise<void>;

const host = ({ port }: Target): string => `Host: 127.0.0.1:${port}\r\n`;

/** A raw connection; its end and its errors are what a flood expects. */
function raw({ port }: Target, data = "", onGone: () => void = () => undefined): Socket {
  const socket = connect({ host: "127.0.0.1", port });
  socket.on("error", () => socket.destroy());
  socket.on("close", onGone);
  if (data !== "") socket.write(data);
  return socket;
}

/** `count` connections at a time for ever: each one that is closed is replaced. */
async function always(count: number, open: (replace: () => void) => void): Promise<void> {
  const replace = (): void => void setTimeout(() => open(replace), 1);
  for (let i = 0; i < count; i++) replace();
  await after(2 ** 30);
}

function tab({ port, token }: Target, options: { readonly origin?: string; readonly host?: string } = {}): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${SOCKET_PATH}`, [SUBPROTOCOL, TOKEN_PREFIX + token], {
    origin: options.origin ?? `http://127.0.0.1:${port}`,
    ...(options.host === undefined ? {} : { headers: { Host: options.host } }),
  });
  socket.on("error", () => socket.terminate());
  return socket;
}

const OPEN: Command = {
  run: "flood",
  type: "open",
  source: { kind: "files", files: [] },
  settings: {},
  backend: null,
  resume: true,
};

/** A tab that joins, then does `act`; replaced when it is disconnected. */
function joined(target: Target, act: (socket: WebSocket) => void): Promise<void> {
  return always(1, (replace) => {
    const socket = tab(target);
    socket.on("open", () => {
      socket.send(encodeMessage(OPEN));
      act(socket);
    });
    socket.on("close", () => setTimeout(replace, 50));
  });
}

/** As fast as the socket takes it. */
function pouring(socket: WebSocket, send: () => void): void {
  const pour = (): void => {
    if (socket.readyState !== socket.OPEN) return;
    for (let i = 0; i < 200 && socket.bufferedAmount < 2 ** 20; i++) send();
    // The kernel's buffer is full anyway: a millisecond costs the flood nothing, and leaves the server its time.
    setTimeout(pour, 1);
  };
  pour();
}

const handshake = (target: Target): string =>
  `GET ${SOCKET_PATH} HTTP/1.1\r\n${host(target)}Upgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Origin: http://127.0.0.1:${target.port}\r\nSec-WebSocket-Version: 13\r\n` +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
  `Sec-WebSocket-Protocol: ${SUBPROTOCOL}, ${TOKEN_PREFIX}${target.token}\r\n\r\n`;

/** An upgraded connection on which raw bytes are sent. */
function upgraded(target: Target, bytes: () => Uint8Array, every: number): Promise<void> {
  return always(4, (replace) => {
    const socket = raw(target, handshake(target), replace);
    socket.once("data", () => {
      const timer = setInterval(() => socket.destroyed || socket.write(bytes()), every);
      socket.once("close", () => clearInterval(timer));
    });
  });
}

/** A frame's head with a length that the frame does not need to have. */
function frame(opcode: number, length: number, payload: Uint8Array): Uint8Array {
  const head = Buffer.alloc(14);
  head[0] = opcode;
  head[1] = 0xff;
  head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

export const FLOODS: Readonly<Record<string, Flood>> = {
  "headers one byte at a time": (target) =>
    always(400, (replace) => {
      const text = `GET / HTTP/1.1\r\n${host(target)}X: ${"a".repeat(4000)}`;
      const socket = raw(target, text.slice(0, 16), replace);
      let at = 16;
      const timer = setInterval(() => socket.destroyed || socket.write(text[at++] ?? "a"), 200);
      socket.once("close", () => clearInterval(timer));
    }),
  "connections that say nothing": (target) => always(800, (replace) => raw(target, "", replace)),
  "connections as fast as they open": (target) =>
    always(200, (replace) => {
      const socket = raw(target, `GET / HTTP/1.1\r\n${host(target)}\r\n`, replace);
      socket.once("connect", () => setTimeout(() => socket.destroy(), 5));
    }),
  "answers that are not read": (target) =>
    always(300, (replace) => {
      raw(target, `GET ${target.largest} HTTP/1.1\r\n${host(target)}\r\n`, replace).pause();
    }),
  "requests that do not wait for answers": (target) =>
    always(50, (replace) => {
      const one = `GET ${target.largest} HTTP/1.1\r\n${host(target)}\r\n`;
      raw(target, one.repeat(2000), replace).pause();
    }),
  "bodies without an end": (target) =>
    always(20, (replace) => {
      const head = `POST / HTTP/1.1\r\n${host(target)}Transfer-Encoding: chunked\r\n\r\n`;
      const socket = raw(target, head, replace);
      const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`;
      const pour = (): void => {
        if (socket.destroyed) return;
        if (socket.write(chunk)) setTimeout(pour, 1);
        else socket.once("drain", pour);
      };
      socket.once("connect", pour);
      socket.resume();
    }),
  "header bombs": (target) =>
    always(20, (replace) => {
      const many = Array.from({ length: 50_000 }, (_, i) => `x${i}: [[[[[[[[\r\n`).join("");
      const socket = raw(target, `GET / HTTP/1.1\r\n${host(target)}${many}`, replace);
      socket.resume();
    }),
  "foreign hosts, origins and tokens": (target) =>
    always(20, (replace) => {
      const bad = [
        { ...target, token: "a".repeat(22) },
        { ...target, token: "a".repeat(10_000) },
      ][Math.floor(Math.random() * 2)];
      const socket =
        Math.random() < 0.3 && bad !== undefined
          ? tab(bad)
          : tab(target, Math.random() < 0.5 ? { origin: "https://evil.example" } : { host: "rebound.example" });
      socket.on("close", replace);
    }),
  "upgrades that go no further": (target) =>
    always(40, (replace) => {
      raw(target, handshake(target), replace).pause();
    }),
  "messages without a pause": (target) =>
    joined(target, (socket) =>
      pouring(socket, () => socket.send(encodeMessage({ run: "flood", type: "observe", group: 0 }))),
    ),
  "the largest messages without a pause": (target) =>
    joined(target, (socket) => {
      const settings = { ...defaultSettings, padding: new Uint8Array(60_000) };
      const message = encodeMessage({ run: "flood", type: "configure", settings });
      pouring(socket, () => socket.send(message));
    }),
  "pings without a pause, pongs not read": (target) =>
    joined(target, (socket) => {
      socket.pause();
      pouring(socket, () => socket.ping("x".repeat(125)));
    }),
  "a tab that asks for everything and reads nothing": (target) =>
    joined(target, (socket) => {
      socket.pause();
      const timer = setInterval(() => socket.send(encodeMessage(OPEN)), 1000);
      const asking = setInterval(() => socket.send(encodeMessage({ run: "flood", type: "observe", group: 0 })), 20);
      socket.on("close", () => {
        clearInterval(timer);
        clearInterval(asking);
      });
    }),
  "tabs that join and leave": (target) =>
    always(8, (replace) => {
      const socket = tab(target);
      socket.on("open", () => socket.send(encodeMessage(OPEN), () => socket.close()));
      socket.on("close", replace);
    }),
  "oversized frames": (target) => upgraded(target, () => frame(0x82, 2 ** 40, new Uint8Array(1000)), 5),
  "fragments without an end": (target) => upgraded(target, () => frame(0x02, 1, new Uint8Array(1)), 1),
  "malformed frames": (target) =>
    upgraded(target, () => Uint8Array.from({ length: 200 }, () => Math.floor(Math.random() * 256)), 5),
};
