/**
 * Who may join a served run and which messages it accepts; everything else is refused, with the reason in the terminal.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { decodeMessage, encodeMessage, MAX_COMMAND_BYTES, MAX_EVENT_BYTES } from "../../worker/codec";
import { type Command, defaultSettings, type Event } from "../../worker/protocol";
import { CLOSE_CODES, SOCKET_PATH, SUBPROTOCOL, TOKEN_PREFIX } from "../../worker/runnerPort";
import { BuiltPage } from "./builtPage";
import { newToken, printable, sameToken } from "./guard";
import { HOST_RUN, Hub } from "./hub";
import { MAX_TABS, type RunServer, serveRun } from "./server";

const token = newToken();
let hub: Hub;
let server: RunServer;
let commands: Command[];
let log: string[];
let lines: WebSocket[];

const opened: Event = {
  run: HOST_RUN,
  type: "opened",
  backend: "wasm",
  adapter: "SIMD",
  features: [],
  costs: { download: 0, device: 0, pipelines: 0, selfTest: 0, load: 0 },
  passedOver: [],
  parameters: 1,
  settings: defaultSettings,
  stage: "grpo",
  step: 7,
  resumed: false,
  start: "own",
  history: [],
};
const open: Command = {
  run: "tab",
  type: "open",
  source: { kind: "files", files: [] },
  settings: {},
  backend: null,
  resume: true,
};

beforeEach(async () => {
  commands = [];
  // A connection of an earlier test may still be closing.
  const mine: string[] = [];
  log = mine;
  lines = [];
  hub = new Hub({
    policy: "policies/tiny",
    data: null,
    command: (command) => commands.push(command),
    write: async () => "",
    largestExport: 1000,
  });
  hub.post(opened);
  server = await serveRun({
    page: { answer: async (_request, response) => void response.end("the page") },
    hub,
    token,
    port: 0,
    log: (line) => mine.push(line),
  });
});
afterEach(async () => {
  for (const line of lines) line.terminate();
  await server.close();
});

interface Line {
  readonly socket: WebSocket;
  readonly events: Event[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

function dial({
  protocols = [SUBPROTOCOL, TOKEN_PREFIX + token],
  origin = `http://127.0.0.1:${server.port}`,
  host,
  path = SOCKET_PATH,
}: {
  protocols?: string[];
  origin?: string;
  host?: string;
  path?: string;
} = {}): Line {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, protocols, {
    origin,
    ...(host === undefined ? {} : { headers: { Host: host } }),
  });
  lines.push(socket);
  const events: Event[] = [];
  socket.on("message", (data) => {
    if (!Buffer.isBuffer(data)) throw new Error("expected a Buffer");
    events.push(decodeMessage(data, MAX_EVENT_BYTES) as Event);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    socket.on("error", (error) => resolve({ code: 0, reason: error.message }));
  });
  return { socket, events, closed };
}

/** A connection that has joined the run. */
async function joined(): Promise<Line> {
  const line = dial();
  await new Promise((resolve) => line.socket.once("open", resolve));
  line.socket.send(encodeMessage(open));
  await vi.waitFor(() => expect(line.events.length).toBeGreaterThan(0));
  return line;
}

describe("a page of this server with the right token", () => {
  test("joins, hears where the run stands, and steers it", async () => {
    const line = await joined();
    expect(line.events[0]).toMatchObject({
      run: "tab",
      type: "opened",
      step: 7,
      resumed: true,
      served: { policy: "policies/tiny", steering: true },
    });
    line.socket.send(encodeMessage({ run: "tab", type: "step" }));
    await vi.waitFor(() => expect(commands).toContainEqual({ run: HOST_RUN, type: "step" }));
    expect(log).toEqual(["a tab joined and steers (1 open)"]);
  });

  test("the link keeps the token behind #", () => {
    expect(server.link).toBe(`http://127.0.0.1:${server.port}/#run=${token}`);
    expect(Buffer.from(token, "base64url")).toHaveLength(16);
  });
});

describe("refused before a socket is opened", () => {
  test.each<[string, () => Parameters<typeof dial>[0], RegExp]>([
    [
      "a foreign Origin",
      () => ({ origin: "https://evil.example" }),
      /Origin "https:\/\/evil\.example"; expected http:\/\/127\.0\.0\.1/,
    ],
    ["another port of this machine", () => ({ origin: "http://127.0.0.1:1" }), /Origin/],
    ["an opaque Origin", () => ({ origin: "null" }), /Origin "null"/],
    ["no Origin", () => ({ origin: "" }), /Origin/],
    ["a foreign Host", () => ({ host: "rebound.example" }), /Host "rebound\.example".*DNS rebinding/],
    ["another path", () => ({ path: `/run?token=${token}` }), /a socket at/],
  ])("%s", async (_what, options, message) => {
    expect((await dial(options()).closed).reason).toContain("403");
    expect(log).toEqual([expect.stringMatching(message)]);
    expect(hub.size).toBe(0);
  });
});

describe("refused with a reason that the page can show", () => {
  test.each<[string, string[], RegExp]>([
    ["a wrong token", [SUBPROTOCOL, TOKEN_PREFIX + newToken()], /token is wrong/],
    ["a token cut short", [SUBPROTOCOL, TOKEN_PREFIX + token.slice(0, -1)], /token is wrong/],
    ["no token", [SUBPROTOCOL], /token is missing/],
  ])("%s", async (_what, protocols, message) => {
    expect(await dial({ protocols }).closed).toEqual({
      code: CLOSE_CODES.token,
      reason: expect.stringContaining("Open the link that srpo serve printed last") as string,
    });
    expect(log).toEqual([expect.stringMatching(message)]);
    expect(hub.size).toBe(0);
  });

  test("more tabs than there may be", async () => {
    for (let i = 0; i < MAX_TABS; i++) await joined();
    expect((await dial().closed).code).toBe(CLOSE_CODES.full);
    expect(log.at(-1)).toMatch(/8 tabs are already open, the maximum/);
  });
});

describe("a line is cut for", () => {
  test.each<[string, Uint8Array | string, number, RegExp]>([
    ["text", "{}", CLOSE_CODES.malformed, /malformed message: "a text message/],
    ["bytes that are no message", new Uint8Array(100), CLOSE_CODES.malformed, /do not start with .*SRP1/],
    [
      "a message that is no command",
      encodeMessage({ run: "tab", type: "rm -rf" }),
      CLOSE_CODES.malformed,
      /not a command: type/,
    ],
    [
      "a command with a wrong field",
      encodeMessage({ run: "tab", type: "play", delay: -1, until: null }),
      CLOSE_CODES.malformed,
      /not a command: delay/,
    ],
    [
      "more bytes than a command may have",
      encodeMessage({ ...open, settings: { padding: new Uint8Array(MAX_COMMAND_BYTES) } }),
      CLOSE_CODES.tooLarge,
      /a message above 65536 bytes/,
    ],
  ])("%s", async (_what, message, code, said) => {
    const line = await joined();
    line.socket.send(message);
    expect((await line.closed).code).toBe(code);
    expect(
      log.some((each) => said.test(each)),
      log.join("\n"),
    ).toBe(true);
    expect(commands.filter(({ type }) => type !== "observe")).toEqual([]);
    await vi.waitFor(() => expect(hub.size).toBe(0));
  });

  test("a message of the run reaches the terminal as one short line without control characters", () => {
    expect(printable("no family “\u001b[2J\r\n\u009b1m” → bars")).toBe("no family “?[2J???1m” → bars");
    expect(printable("f".repeat(60_000))).toHaveLength(1001);
  });

  test("control characters do not reach the terminal", async () => {
    const line = await joined();
    line.socket.send(encodeMessage({ run: "tab", type: "\u001b[2J" }));
    await line.closed;
    expect(log.join("")).not.toMatch(/\p{Cc}/u);
  });
});

describe("the page's own files", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "srpo-page-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const get = (
    path: string,
    headers: Record<string, string> = {},
    method = "GET",
  ): Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }> =>
    new Promise((resolve, reject) => {
      const asking = request(
        { host: "127.0.0.1", port: server.port, path, method, headers, agent: false },
        (answer) => {
          let text = "";
          answer.on("data", (chunk: Buffer) => {
            text += chunk.toString();
          });
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
        },
      );
      asking.on("error", reject);
      asking.end();
    });

  test("are given under this server's name only", async () => {
    expect(await get("/")).toMatchObject({ status: 200, text: "the page" });
    expect((await get("/", { Host: "rebound.example" })).status).toBe(403);
    expect(log).toEqual([expect.stringContaining("DNS rebinding")]);
  });

  test("that were not built are asked for in words", async () => {
    await expect(BuiltPage.open(folder)).rejects.toThrow(/index.html not found: run "npm run build" first/);
    await expect(BuiltPage.open(join(folder, "dist"))).rejects.toThrow(
      /no built page \(.*\): run "npm run build" first/,
    );
  });

  test("are those of the folder, and nothing else is", async () => {
    await server.close();
    await writeFile(join(folder, "index.html"), "<!doctype html>");
    server = await serveRun({ page: await BuiltPage.open(folder), hub, token, port: 0, log: (line) => log.push(line) });
    const page = await get("/");
    expect(page).toMatchObject({
      status: 200,
      headers: {
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "content-security-policy": expect.stringMatching(
          /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; .*; frame-ancestors 'none'$/,
        ) as string,
      },
    });
    expect((await get("/index.html?x=1")).text).toBe(page.text);
    expect((await get("/", {}, "HEAD")).text).toBe("");
    for (const path of ["/../server.ts", "/%2e%2e/server.ts", "/..%2fserver.ts", "//etc/passwd", "/index.html/"])
      expect((await get(path)).status, path).toBe(404);
    expect((await get("/", {}, "POST")).status).toBe(405);
  });
});

test("tokens are compared whole", () => {
  expect(sameToken(token, token)).toBe(true);
  expect(sameToken(`${token}x`, token)).toBe(false);
  expect(sameToken("", token)).toBe(false);
});
