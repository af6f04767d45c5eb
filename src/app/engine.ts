/** Starts the training worker, or joins a run in the runner: the only place that does. */
import { type Engine, joinRunner, startWorker } from "../worker/client";
import type { TrainingClient } from "./state/client";

/**
 * @param token of a served run to join; null: train in this tab
 * @param onFault called when the engine itself fails (its script does not load, a message is unreadable)
 */
export function openEngine(run: string, token: string | null, onFault: (error: Error) => void): TrainingClient {
  return asTrainingClient(token === null ? startWorker(run, onFault) : joinRunner(token, run, onFault));
}

function asTrainingClient({ client, terminate }: Engine): TrainingClient {
  return {
    send: (command) => client.send(command),
    renew: (next) => client.renew(next),
    subscribe: (listener) => client.subscribe(listener),
    close: terminate,
  };
}

/** A client that queues commands until the real one is ready. @param start must not reject */
export function whenReady(start: () => Promise<TrainingClient>): TrainingClient {
  const listeners = new Set<Parameters<TrainingClient["subscribe"]>[0]>();
  let client: TrainingClient | null = null;
  let closed = false;
  const waiting: ((client: TrainingClient) => void)[] = [];
  const whenStarted = (act: (client: TrainingClient) => void): void => {
    if (client === null) waiting.push(act);
    else act(client);
  };
  void start().then((started) => {
    if (closed) {
      started.close();
      return;
    }
    client = started;
    started.subscribe((event) => {
      for (const listener of [...listeners]) listener(event);
    });
    for (const act of waiting.splice(0)) act(started);
  });
  return {
    send: (command) => whenStarted((each) => each.send(command)),
    renew: (run) => whenStarted((each) => each.renew(run)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      client?.close();
    },
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
