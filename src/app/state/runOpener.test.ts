/** The engine fails, and the run is opened again; a stored run beside the one on show. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CommandBody } from "../../worker/client";
import { ScriptedClient } from "../testing/scriptedClient";
import { metricsAt } from "../testing/scriptedRecords";
import { createPlayground, type PlaygroundController } from "./playgroundController";

class Engine extends ScriptedClient {
  readonly sent: CommandBody[] = [];
  starts = 1;
  override send(command: CommandBody): void {
    this.sent.push(command);
    super.send(command);
  }
  override restart(): void {
    super.restart();
    this.starts++;
  }
}

let engine: Engine;
let playground: PlaygroundController;
const run = () => playground.live.run.store.getState();
const opens = () => engine.sent.filter((command) => command.type === "open");

beforeEach(() => {
  vi.useFakeTimers();
  engine = new Engine({ stage: "grpo", step: 3 });
  playground = createPlayground({ client: engine, onExported: () => undefined, hidden: () => false });
  playground.open({ kind: "shipped", name: "sft" });
  vi.advanceTimersByTime(200);
  engine.emit({
    type: "shelf",
    current: "mine",
    runs: [{ id: "mine", name: "Run", stage: "grpo", step: 3, openedAt: 1 }],
  });
  vi.advanceTimersByTime(200);
});
afterEach(() => {
  playground.close();
  vi.useRealTimers();
});

describe("an engine that fails", () => {
  test("is started again with the same stored run; the page keeps showing its last step meanwhile", () => {
    playground.engineFailed("The browser stopped the training worker.");
    expect(engine.starts).toBe(2);
    expect(opens().at(-1)).toMatchObject({ resume: true, choice: { id: "mine", keepEarlier: true } });
    expect(run()).toMatchObject({ status: "starting", step: 3, playing: false });
  });

  test("three times without a step in between: the page gives up, says so, and can be asked again", () => {
    for (let failure = 0; failure < 4; failure++) playground.engineFailed("It threw.");
    expect(engine.starts).toBe(4);
    expect(run()).toMatchObject({ status: "failed", step: 3 });
    expect(run().notices.at(-1)).toMatchObject({
      kind: "error",
      title: "The training engine failed",
      text: "It threw.",
    });
    playground.startAgain();
    expect(engine.starts).toBe(5);
    expect(run()).toMatchObject({ status: "starting", notices: [] });
  });

  test("a finished step makes the next failure the first again", () => {
    for (let failure = 0; failure < 3; failure++) playground.engineFailed("It threw.");
    engine.emit({ type: "stepped", metrics: metricsAt("grpo", 4, run().settings.grpo) });
    playground.engineFailed("It threw.");
    expect(run().status).toBe("starting");
  });

  test("where nothing of the run was stored, that is said", () => {
    playground.engineFailed("It threw.");
    vi.advanceTimersByTime(400);
    expect(run().notices.at(-1)?.text).toBe("It threw. Nothing of the run was stored, so a new one has started.");
  });
});

test("opening a kept run keeps the one on show", () => {
  playground.openStored("other");
  expect(opens().at(-1)).toMatchObject({ resume: true, choice: { id: "other", orNew: false, keepEarlier: true } });
  expect(run().step, "another run is not at this one's step").toBe(0);
});

test("a new start takes the place of the run on show", () => {
  playground.open({ kind: "shipped", name: "srpo" });
  expect(opens().at(-1)).toMatchObject({ resume: false, choice: { id: null, keepEarlier: false } });
});
