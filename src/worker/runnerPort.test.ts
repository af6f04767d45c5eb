/**
 * The page's line to the runner: joins, breaks, comes back, or is refused for good; the client above it is the
 * worker's.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WorkerClient } from "./client";
import { decodeMessage, encodeMessage, MAX_COMMAND_BYTES } from "./codec";
import type { Command, Event } from "./protocol";
import { CLOSE_CODES, RunnerPort, type Socket } from "./runnerPort";

/** A line whose other end is the test. */
class ScriptedSocket implements Socket {
  binaryType = "blob";
  readyState = 0;
  readonly sent: Command[] = [];
  readonly #listeners = new Map<string, ((event: never) => void)[]>();
  send(data: Uint8Array<ArrayBuffer>): void {
    this.sent.push(decodeMessage(data, MAX_COMMAND_BYTES) as Command);
  }
  close(): void {
    this.end(1000, "");
  }
  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }
  begin(): void {
    this.readyState = 1;
    this.#fire("open", {});
  }
  say(event: Event): void {
    this.#fire("message", { data: encodeMessage(event).buffer });
  }
  sayRaw(data: unknown): void {
    this.#fire("message", { data });
  }
  end(code: number, reason: string): void {
    this.readyState = 3;
    this.#fire("close", { code, reason });
  }
  #fire(type: string, event: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(event as never);
  }
}

let sockets: ScriptedSocket[];
let heard: Event[];
let faults: string[];
let port: RunnerPort;
let client: WorkerClient;
const last = (): ScriptedSocket => {
  const socket = sockets.at(-1);
  if (socket === undefined) throw new Error("no line was begun");
  return socket;
};
const open = {
  type: "open",
  source: { kind: "files", files: [] },
  settings: {},
  backend: null,
  resume: false,
} as const;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  heard = [];
  faults = [];
  const fault = (error: Error): void => void faults.push(error.message);
  port = new RunnerPort(() => {
    const socket = new ScriptedSocket();
    sockets.push(socket);
    return socket;
  }, fault);
  client = new WorkerClient(port, "run", fault);
  client.subscribe((event) => heard.push(event));
});
afterEach(() => vi.useRealTimers());

describe("the line", () => {
  test("is begun by open, joins the run with what the tab looks at, and carries both ways", () => {
    client.send(open);
    client.send({ type: "observe", group: 3 });
    expect(last().sent).toEqual([]);
    last().begin();
    expect(last().binaryType).toBe("arraybuffer");
    expect(last().sent).toEqual([
      { ...open, resume: true, run: "run" },
      { type: "observe", group: 3, run: "run" },
    ]);
    client.send({ type: "step" });
    expect(last().sent.at(-1)).toEqual({ type: "step", run: "run" });
    last().say({ run: "run", type: "playing", playing: true });
    expect(heard).toEqual([{ run: "run", type: "playing", playing: true }]);
  });

  test("that breaks is reported once, retried less and less often, and joins again", () => {
    client.send(open);
    last().begin();
    last().end(CLOSE_CODES.stopped, "srpo serve was stopped");
    expect(heard).toEqual([{ run: "run", type: "connection", state: "lost", message: "srpo serve was stopped." }]);
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    last().end(1006, "");
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(2);
    vi.advanceTimersByTime(500);
    expect(sockets).toHaveLength(3);
    expect(heard).toHaveLength(1);
    last().begin();
    expect(last().sent.map(({ type }) => type)).toEqual(["open"]);
    last().end(1006, "");
    expect(heard.at(-1)).toMatchObject({ type: "connection", state: "lost", message: "The runner is not responding." });
  });

  test.each([CLOSE_CODES.token, CLOSE_CODES.full])("that is refused with %i is not tried again", (code) => {
    client.send(open);
    last().begin();
    last().end(code, "the reason");
    expect(heard).toEqual([{ run: "run", type: "connection", state: "refused", message: "the reason" }]);
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });

  test("that is down says which command was not sent", () => {
    client.send(open);
    last().begin();
    last().end(1006, "");
    client.send({ type: "step" });
    expect(heard.at(-1)).toMatchObject({
      type: "error",
      fatal: false,
      message: expect.stringContaining('"step" was not sent') as string,
    });
  });

  test("that is ended stays so", () => {
    client.send(open);
    last().begin();
    port.end();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
    expect(heard).toEqual([]);
  });

  test("reports messages that cannot be read and continues", () => {
    client.send(open);
    last().begin();
    last().sayRaw("text");
    last().sayRaw(new Uint8Array(3).buffer);
    last().say({ run: "run", type: "playing", playing: false });
    expect(faults).toEqual([
      expect.stringContaining("text; expected bytes"),
      expect.stringContaining("do not start with"),
    ]);
    expect(heard).toHaveLength(1);
  });
});
