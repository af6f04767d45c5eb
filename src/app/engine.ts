/** Starts the training worker, or joins a run in the runner: the only place that does. */
import { type Engine, joinRunner, startWorker } from "../worker/client";
import type { TrainingClient } from "./state/client";

/** One engine, until it is closed. */
type StartedEngine = Omit<TrainingClient, "restart" | "stop">;

export interface EngineFaults {
  /** A message is unreadable, or a listener throws. */
  readonly onFault: (error: Error) => void;
  /** The engine itself has failed or was stopped: its script does not load, it throws, the browser ended it. */
  readonly onFailure: (message: string) => void;
}

/** @param token of a served run to join; null: train in this tab */
export function openEngine(run: string, token: string | null, { onFault, onFailure }: EngineFaults): StartedEngine {
  return asTrainingClient(token === null ? startWorker(run, onFault, onFailure) : joinRunner(token, run, onFault));
}

function asTrainingClient({ client, terminate }: Engine): StartedEngine {
  return {
    send: (command) => client.send(command),
    renew: (next) => client.renew(next),
    subscribe: (listener) => client.subscribe(listener),
    close: terminate,
  };
}

/** A client that queues commands until the real one is ready. @param start must not reject */
export function whenReady(start: () => Promise<StartedEngine>): TrainingClient {
  const listeners = new Set<Parameters<TrainingClient["subscribe"]>[0]>();
  let client: StartedEngine | null = null;
  let waiting: ((client: StartedEngine) => void)[] = [];
  let launches = 0;
  const whenStarted = (act: (client: StartedEngine) => void): void => {
    if (client === null) waiting.push(act);
    else act(client);
  };
  const stop = (): void => {
    launches++;
    client?.close();
    client = null;
    waiting = [];
  };
  const launch = (): void => {
    stop();
    const launched = launches;
    void start().then((started) => {
      if (launched !== launches) {
        started.close();
        return;
      }
      client = started;
      started.subscribe((event) => {
        for (const listener of [...listeners]) listener(event);
      });
      for (const act of waiting.splice(0)) act(started);
    });
  };
  launch();
  return {
    send: (command) => whenStarted((each) => each.send(command)),
    renew: (run) => whenStarted((each) => each.renew(run)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    restart: launch,
    stop,
    close: stop,
  };
}

/** Maximum milliseconds that the engine waits for the first drawing: a hidden tab draws nothing. */
const DRAWING_PATIENCE = 1000;

/** Resolves when `content` has been drawn, so that starting the engine does not delay it. Never rejects. */
export async function drawn(content: Promise<unknown>): Promise<void> {
  const painted = content.then(
    // The second frame starts when the first one is on the screen.
    () =>
      new Promise<void>((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
      }),
    () => undefined, // the fetcher reports the failure
  );
  await Promise.race([
    painted,
    new Promise<void>((resolve) => {
      setTimeout(resolve, DRAWING_PATIENCE);
    }),
  ]);
}
