/** `srpo serve` as a process of its own, and what a visitor does with it: load the page, steer, watch it train. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { WebSocket } from "ws";
import type { CommandBody } from "../../worker/client";
import { decodeMessage, encodeMessage, MAX_EVENT_BYTES } from "../../worker/codec";
import { parseEvent } from "../../worker/parse";
import type { Event } from "../../worker/protocol";
import { SOCKET_PATH, SUBPROTOCOL, TOKEN_PREFIX } from "../../worker/runnerPort";

/** Milliseconds for the runner to open the policy. */
const OPENING = 120_000;
const SETTINGS = ["maxNewTokens=24", "grpo.prompts=1", "grpo.groupSize=4", "grpo.steps=100000"];

export interface Served {
  readonly port: number;
  readonly token: string;
  readonly process: ChildProcess;
  /** What it has written to the terminal so far. */
  said(): string;
  /** Bytes of memory that it holds. */
  memory(): number;
  stop(): Promise<void>;
}

export async function startServed(): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), "srpo-attack-serve-"));
  const args = ["serve", "--policy", "public/policies/sft", "--run", folder, "--backend", "wasm", "--stage", "grpo"];
  const child = spawn(
    process.execPath,
    ["--import", "tsx", "src/runner/cli.ts", ...args, ...SETTINGS.flatMap((each) => ["--set", each])],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const link = await new Promise<string>((resolve, reject) => {
    setTimeout(() => reject(new Error(`srpo serve printed no link. It said: ${said}`)), OPENING).unref();
    child.once("exit", (code) => reject(new Error(`srpo serve ended with ${code}. It said: ${said}`)));
    child.stdout.on("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
  });
  const [, port = "", token = ""] = /:(\d+)\/#run=(.+)$/.exec(link) ?? [];
  return {
    port: Number(port),
    token,
    process: child,
    said: () => said,
    memory: () => Number(execFileSync("ps", ["-o", "rss=", "-p", String(child.pid)], { encoding: "utf8" })) * 1024,
    async stop() {
      child.kill("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A tab that steers. */
export class Visitor {
  readonly #socket: WebSocket;
  readonly #listeners = new Set<(event: Event) => void>();
  steps = 0;

  private constructor(readonly served: Served) {
    const { port, token } = served;
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}${SOCKET_PATH}`, [SUBPROTOCOL, TOKEN_PREFIX + token], {
      origin: `http://127.0.0.1:${port}`,
    });
    this.#socket.on("message", (data) => {
      if (!Buffer.isBuffer(data)) return;
      const event = parseEvent(decodeMessage(data, MAX_EVENT_BYTES));
      if (event.type === "stepped") this.steps++;
      for (const listener of [...this.#listeners]) listener(event);
    });
  }

  /** @throws Error when it cannot join */
  static async join(served: Served): Promise<Visitor> {
    const visitor = new Visitor(served);
    await new Promise((resolve, reject) => {
      visitor.#socket.once("open", resolve);
      visitor.#socket.once("error", reject);
    });
    const opened = visitor.next("opened");
    visitor.send({ type: "open", source: { kind: "files", files: [] }, settings: {}, backend: null, resume: true });
    await opened;
    return visitor;
  }

  get connected(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(command: CommandBody): void {
    this.#socket.send(encodeMessage({ ...command, run: "visitor" }));
  }

  next(type: Event["type"]): Promise<Event> {
    return new Promise((resolve) => {
      const listener = (event: Event): void => {
        if (event.type !== type) return;
        this.#listeners.delete(listener);
        resolve(event);
      };
      this.#listeners.add(listener);
    });
  }

  /** Milliseconds from a changed setting to the run's answer. */
  async steer(temperature: number): Promise<number> {
    const began = performance.now();
    const configured = this.next("configured");
    this.send({ type: "configure", settings: { temperature } });
    await configured;
    return performance.now() - began;
  }

  leave(): void {
    this.#socket.terminate();
  }
}

/** A file of the page as a browser asks for it. → its text */
function get({ port }: Served, path: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port, path, agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("error", reject);
      answer.on("end", () =>
        answer.statusCode === 200
          ? resolve(Buffer.concat(chunks).toString("latin1"))
          : reject(new Error(`${path}: status ${answer.statusCode}`)),
      );
    });
    asking.on("error", (error) => reject(new Error(`${path}: ${error.message}`)));
    asking.end();
  });
}

/** Loads the page and the files that it names, over six connections as a browser does. → milliseconds */
export async function loadPage(served: Served): Promise<number> {
  const began = performance.now();
  const agent = new Agent({ keepAlive: true, maxSockets: 6 });
  try {
    const html = await get(served, "/", agent);
    const named = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path = ""]) => `/${path}`);
    await Promise.all([...new Set(named)].map((path) => get(served, path, agent)));
  } finally {
    agent.destroy();
  }
  return performance.now() - began;
}

/** `job`'s result, or an error after `ms`. */
export async function within<T>(what: string, ms: number, job: Promise<T>): Promise<T> {
  const late = new AbortController();
  try {
    return await Promise.race([
      job,
      after(ms, null, { signal: late.signal }).then(() => Promise.reject(new Error(`${what} took more than ${ms} ms`))),
    ]);
  } finally {
    late.abort();
  }
}
