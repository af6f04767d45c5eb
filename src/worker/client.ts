/**
 * The page's end of the protocol: typed commands out, checked events in. It needs only a message port, so the same
 * client works with a Web Worker, a socket and, in tests, a host in the same process.
 */
import { parseEvent } from "./parse";
import type { Port } from "./port";
import type { Command, Event } from "./protocol";
import { RunnerPort, SOCKET_PATH, SUBPROTOCOL, TOKEN_PREFIX } from "./runnerPort";

type Body<C> = C extends Command ? Omit<C, "run"> : never;
/** A command without its run: the client adds its own. */
export type CommandBody = Body<Command>;

export class WorkerClient {
  #run: string;
  readonly #listeners = new Set<(event: Event) => void>();

  /**
   * @param port channel to the host
   * @param onFault called for invalid messages and for listeners that throw
   */
  constructor(
    private readonly port: Port,
    run: string,
    private readonly onFault: (error: Error) => void,
  ) {
    this.#run = run;
    port.listen((message) => this.#receive(message));
  }

  get run(): string {
    return this.#run;
  }

  /** Switch to another run; late events of the old one are dropped. */
  renew(run: string): void {
    this.#run = run;
  }

  /** Send a command. Buffers inside `open` are transferred: the caller must not use them afterwards. */
  send(command: CommandBody): void {
    const buffers =
      command.type === "open" && command.source.kind === "files" ? command.source.files.map((file) => file.bytes) : [];
    this.port.send({ ...command, run: this.#run }, buffers);
  }

  /** Call `listener` for every event of the current run. → a function that unsubscribes */
  subscribe(listener: (event: Event) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next event of one type; rejects on a fatal error, after which none would come. */
  next<T extends Event["type"]>(type: T): Promise<Extract<Event, { type: T }>> {
    return new Promise((resolve, reject) => {
      const stop = this.subscribe((event) => {
        if (isType(event, type)) {
          stop();
          resolve(event);
        } else if (event.type === "error" && event.fatal) {
          stop();
          reject(new Error(event.message));
        }
      });
    });
  }

  #receive(data: unknown): void {
    try {
      const event = parseEvent(data);
      if (event.run !== this.#run) return;
      for (const listener of [...this.#listeners]) listener(event);
    } catch (error) {
      this.onFault(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function isType<T extends Event["type"]>(event: Event, type: T): event is Extract<Event, { type: T }> {
  return event.type === type;
}

/** A client, and the way to stop what it talks to. */
export interface Engine {
  readonly client: WorkerClient;
  readonly terminate: () => void;
}

/**
 * A client for the run that the runner serves at the page's own address.
 * @param token from the link that `srpo serve` printed
 */
export function joinRunner(token: string, run: string, onFault: (error: Error) => void): Engine {
  const address = new URL(`.${SOCKET_PATH}`, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  address.hash = "";
  const port = new RunnerPort(() => new WebSocket(address, [SUBPROTOCOL, `${TOKEN_PREFIX}${token}`]), onFault);
  return { client: new WorkerClient(port, run, onFault), terminate: () => port.end() };
}

/**
 * Start the training worker and a client for it.
 * @param onFault called for messages that cannot be read
 * @param onFailure called once, when the worker throws, does not load, or is stopped by the browser
 */
export function startWorker(
  run: string,
  onFault: (error: Error) => void,
  onFailure: (message: string) => void,
): Engine {
  const name = `srpo-training ${crypto.randomUUID()}`;
  const worker = new Worker(new URL("./entry.ts", import.meta.url), { type: "module", name });
  const ended = new AbortController();
  const fail = (message: string): void => {
    if (ended.signal.aborted) return;
    ended.abort();
    onFailure(message);
  };
  worker.onerror = (event) => fail(`The training worker failed: ${event.message || "its script could not be loaded"}.`);
  worker.onmessageerror = () => onFault(new Error("Received an unreadable message from the training worker."));
  let heard = false;
  const port: Port = {
    send: (command, transfer) =>
      worker.postMessage(
        command.type === "open" ? { ...command, base: command.base ?? document.baseURI } : command,
        transfer,
      ),
    listen: (receive) => {
      worker.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (!heard) whenReleased(name, ended.signal, () => fail("The browser stopped the training worker."));
        heard = true;
        receive(data);
      };
    },
  };
  const terminate = (): void => {
    ended.abort();
    worker.terminate();
  };
  return { client: new WorkerClient(port, run, onFault), terminate };
}

/** The worker holds a lock of its name for as long as it lives (entry.ts). */
function whenReleased(name: string, signal: AbortSignal, act: () => void): void {
  const { locks } = navigator as { readonly locks?: LockManager };
  locks?.request(name, { signal }, act).catch((reason: unknown) => {
    if (!signal.aborted) console.info("This browser does not say when it stops a worker:", reason);
  });
}
