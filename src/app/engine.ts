/**
 * The engine's door: the only place where the page starts the training worker, or joins a run that lives in the runner.
 */
import { type Engine, joinRunner, startWorker } from "../worker/client";
import type { TrainingClient } from "./state/client";

/**
 * @param token of a served run to join; null: train in this tab
 * @param onFault told when the engine fails as a program (a script that does not load, a message nobody can read)
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

/** A client that gathers commands until the real one is there. @param start must not reject */
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

/** Milliseconds that the engine waits at most for the page to be drawn: a hidden tab draws nothing. */
const DRAWING_PATIENCE = 1000;

/**
 * Resolves when what waits for `content` has been on the screen, so that starting the engine takes no time from drawing
 * it. Never rejects: without the content there is nothing to wait for.
 */
export async function drawn(content: Promise<unknown>): Promise<void> {
  const painted = content.then(
    // The frame after the next one begins when the next one is on the screen.
    () =>
      new Promise<void>((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => resolve()));
      }),
    () => undefined, // its reader tells why it is not there
  );
  await Promise.race([
    painted,
    new Promise<void>((resolve) => {
      setTimeout(resolve, DRAWING_PATIENCE);
    }),
  ]);
}
