/**
 * The page of a run that lives in the runner: joined silently, watched or steered, its connection lost and restored.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CommandBody } from "../../worker/client";
import { defaultSettings, type Event } from "../../worker/protocol";
import { ScriptedClient } from "../testing/scriptedClient";
import { metricsAt } from "../testing/scriptedRecords";
import { servedToken } from "./link";
import { createPlayground, type PlaygroundController } from "./playgroundController";
import { canSteer } from "./run";

/** A runner that says what the test makes it say. */
class Runner extends ScriptedClient {
  readonly sent: CommandBody[] = [];
  override send(command: CommandBody): void {
    this.sent.push(command);
  }
}

let client: Runner;
let playground: PlaygroundController;
const run = () => playground.live.run.store.getState();
const titles = (): string[] => run().notices.map(({ title }) => title);
type Opened = Omit<Extract<Event, { type: "opened" }>, "run">;

function joined(steering: boolean, change: Partial<Opened> = {}): void {
  client.emit({
    type: "opened",
    backend: "webgpu",
    adapter: "RTX",
    features: [],
    costs: { download: 0, device: 1, pipelines: 1, selfTest: 1, load: 1 },
    passedOver: [],
    parameters: 7e9,
    settings: defaultSettings,
    stage: "grpo",
    step: 2,
    resumed: true,
    start: "own",
    history: [metricsAt("grpo", 1, defaultSettings.grpo), metricsAt("grpo", 2, defaultSettings.grpo)],
    served: { policy: "models/7b", data: null, steering },
    ...change,
  });
  vi.advanceTimersByTime(200);
}

beforeEach(() => {
  vi.useFakeTimers();
  client = new Runner();
  playground = createPlayground({ client, onExported: () => undefined, hidden: () => false, newRun: () => "run" });
  playground.open({ kind: "files", files: [] }, { resume: true });
  client.sent.length = 0;
});
afterEach(() => {
  playground.close();
  vi.useRealTimers();
});

describe("the tab that steers", () => {
  test("asks nothing of the run it joins, not even its first words", () => {
    joined(true, { step: 0, history: [] });
    expect(client.sent).toEqual([]);
    expect(canSteer(run())).toBe(true);
    playground.step();
    expect(client.sent).toEqual([{ type: "step" }]);
  });

  test("learns that another one has taken over, and carries the lesson no further", () => {
    joined(true);
    playground.togglePlay();
    client.emit({ type: "steering", steering: false });
    client.sent.length = 0;
    client.emit({ type: "playing", playing: false });
    vi.advanceTimersByTime(200);
    expect(client.sent).toEqual([]);
    expect(titles()).toEqual(["This tab only watches"]);
  });

  test("cannot train other parameters, and says where to", () => {
    joined(true);
    playground.configure({ freezeVision: false });
    expect(client.sent).toEqual([]);
    expect(run().notices.at(-1)?.text).toContain("srpo serve");
  });
});

describe("a tab that watches", () => {
  test("sends nothing but what it looks at, shows the other's settings, and may ask to steer", () => {
    joined(false);
    expect(canSteer(run())).toBe(false);
    playground.step();
    playground.restore("x");
    expect(client.sent).toEqual([]);
    expect(titles()).toEqual(["This tab only watches"]);
    playground.live.groups.change((state) => ({ ...state, selectedGroup: 1 }));
    client.emit({ type: "restored", stage: "grpo", step: 1, history: [] });
    client.emit({ type: "configured", settings: { ...defaultSettings, temperature: 0.3 } });
    vi.advanceTimersByTime(200);
    expect(run().wanted.temperature).toBe(0.3);
    playground.steer();
    expect(client.sent).toEqual([{ type: "observe", group: 1 }, { type: "steer" }]);
    client.emit({ type: "steering", steering: true });
    vi.advanceTimersByTime(200);
    expect(canSteer(run())).toBe(true);
  });
});

describe("the line to the runner", () => {
  test("lost: said, nothing can be asked; back: where the run is now, and the notice goes", () => {
    joined(true);
    client.emit({ type: "connection", state: "lost", message: "srpo serve was stopped." });
    vi.advanceTimersByTime(200);
    expect(run().status).toBe("disconnected");
    expect(canSteer(run())).toBe(false);
    expect(titles()).toEqual(["Connection to the runner lost"]);
    joined(true, { step: 9 });
    expect(run()).toMatchObject({ status: "ready", step: 9, notices: [] });
  });

  test("refused: said for good, in the runner's words", () => {
    client.emit({ type: "connection", state: "refused", message: "The link's token is not this run's." });
    vi.advanceTimersByTime(200);
    expect(run().status).toBe("failed");
    expect(run().notices.at(-1)).toMatchObject({ kind: "error", text: "The link's token is not this run's." });
  });

  test("a policy too large to be sent is on the runner's disk", () => {
    joined(true);
    client.emit({ type: "exported", files: [], writtenTo: "runs/mine/policy" });
    vi.advanceTimersByTime(200);
    expect(run().notices.at(-1)?.text).toContain("runs/mine/policy");
  });
});

test("the link's token is what the runner prints; a truncated one becomes a token that matches nothing", () => {
  expect(servedToken("#run=68C5u2GxhTorPZFiGQ0YnA")).toBe("68C5u2GxhTorPZFiGQ0YnA");
  expect(servedToken("#run=68C5u2Gxh")).toBe("-");
  expect(servedToken("#run=a b, c")).toBe("-");
  expect(servedToken("#v=1&from=base")).toBeNull();
  expect(servedToken("")).toBeNull();
});
