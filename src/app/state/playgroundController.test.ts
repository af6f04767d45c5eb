import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RECIPES } from "../../srpo/recipe";
import type { CommandBody } from "../../worker/client";
import { defaultSettings, overlay } from "../../worker/protocol";
import { ScriptedClient } from "../testing/scriptedClient";
import { createPlayground, type PlaygroundController } from "./playgroundController";
import { changesOf, settingsOfRecipe } from "./recipes";

/** A scripted worker that also notes what it was told. */
class NotingClient extends ScriptedClient {
  readonly sent: CommandBody[] = [];
  override send(command: CommandBody): void {
    this.sent.push(command);
    super.send(command);
  }
}

let hidden = false;
let client: NotingClient;
let playground: PlaygroundController;

function start(script: ConstructorParameters<typeof ScriptedClient>[0], name: "base" | "sft" = "base"): void {
  client = new NotingClient(script);
  playground = createPlayground({ client, onExported: () => undefined, hidden: () => hidden, newRun: () => "run" });
  playground.open(
    { kind: "shipped", name },
    { settings: { grpo: { prompts: 1, groupSize: 2 }, sft: { steps: 4, examples: 64 } } },
  );
  vi.advanceTimersByTime(200);
}

const run = () => playground.live.run.store.getState();

beforeEach(() => {
  vi.useFakeTimers();
  hidden = false;
});
afterEach(() => {
  playground.close();
  vi.useRealTimers();
});

describe("the playground", () => {
  test("reports what the worker opened", () => {
    start({ stage: "grpo", step: 3, backend: "wasm" });
    expect(run()).toMatchObject({ status: "ready", stage: "grpo", step: 3 });
    expect(run().opened?.passedOver[0]?.backend).toBe("webgpu");
    expect(playground.live.history.store.getState().rows.filter((row) => row.stage === "grpo")).toHaveLength(3);
  });

  test("a sub-step lights its phase, then shows only what that phase made", () => {
    start({ stage: "grpo", pace: 500 });
    playground.phase();
    vi.advanceTimersByTime(200);
    expect(run().running).toBe("rollout");
    vi.advanceTimersByTime(600);
    expect(run()).toMatchObject({ running: null, done: "rollout" });
    expect(playground.live.groups.store.getState().now?.groups[0]?.samples[0]?.score).toBeUndefined();
    playground.phase();
    vi.advanceTimersByTime(900);
    expect(playground.live.groups.store.getState().now?.groups[0]?.samples[0]?.score).toBeDefined();
  });

  test("a refill rolls out again within the step; the next step begins anew", () => {
    start({ stage: "grpo", pace: 5 });
    playground.configure({ grpo: { onlineFilter: "mixed", refills: 2 } });
    const phases = [1, 2, 3, 4, 5, 6, 7].map(() => {
      playground.phase();
      vi.advanceTimersByTime(200);
      const { done, draws, step } = run();
      return [done, draws, step];
    });
    expect(phases).toEqual([
      ["rollout", 1, 0],
      ["score", 1, 0],
      ["rollout", 2, 0],
      ["score", 2, 0],
      ["normalise", 2, 0],
      ["update", 2, 1],
      ["rollout", 1, 1],
    ]);
  });

  test("a recipe takes over what it decides, says so in a run under way, and each change has a way back", () => {
    start({ stage: "grpo", step: 5 });
    playground.configure({ grpo: { clipHigh: 0.28, steps: 40 } });
    playground.follow("grpo");
    expect(run().recipe).toBe("grpo");
    expect(changesOf(run().wanted, "grpo")).toEqual([]);
    expect(run().wanted.grpo).toMatchObject({ steps: 40, prompts: 1, beta: RECIPES.grpo.settings.grpo.beta });
    expect(run().notices.at(-1)?.title).toBe("GRPO from the next step");
    playground.configure({ grpo: { beta: 0 } });
    const [change] = changesOf(run().wanted, "grpo");
    expect(change).toMatchObject({ path: "grpo.beta", value: 0 });
    if (change !== undefined) playground.undo(change);
    vi.advanceTimersByTime(200);
    expect(changesOf(run().settings, "grpo"), "what training uses").toEqual([]);
  });

  test("a resumed run is called after the recipe that its settings come nearest to", () => {
    start({ stage: "grpo", step: 5 });
    const { opened } = run();
    if (opened === null) throw new Error("the scripted run did not open");
    const settings = overlay(settingsOfRecipe("grpo"), { grpo: { groupSize: 6 } });
    const found = { type: "opened", settings, stage: "grpo", step: 5, start: "sft", history: [] } as const;
    client.emit({ ...found, ...opened, resumed: false });
    playground.live.flush();
    expect(run().recipe, "opened as asked for").toBe("srpo");
    client.emit({ ...found, ...opened, resumed: true });
    playground.live.flush();
    expect(run().recipe).toBe("grpo");
  });

  test("warns once that every response was truncated, until a step is different", () => {
    start({ stage: "grpo", step: 5 });
    const warned = (step: number, clipped: number): number => {
      client.emit({ type: "stepped", metrics: { step, stage: "grpo", "completions/clipped_ratio": clipped } });
      playground.live.flush();
      return run().notices.filter(({ title }) => title === "Every response was truncated").length;
    };
    expect([warned(6, 0.9), warned(7, 1), warned(8, 1)]).toEqual([0, 1, 1]);
    for (const { id } of run().notices) playground.dismiss(id);
    expect([warned(9, 1), warned(10, 0), warned(11, 1), warned(12, 0.5)]).toEqual([0, 0, 1, 0]);
  });

  test("warns once when three steps in a row have taught nothing, until one teaches something", () => {
    start({ stage: "grpo", step: 5 });
    const warned = (step: number, flat: number): string[] => {
      client.emit({ type: "stepped", metrics: { step, stage: "grpo", updates: 1 - flat, frac_reward_zero_std: flat } });
      playground.live.flush();
      return run().notices.flatMap(({ title, text }) => (title === "The run learns nothing" ? [text] : []));
    };
    expect([warned(6, 1), warned(7, 1), warned(8, 0.5), warned(9, 1), warned(10, 1)]).toEqual([[], [], [], [], []]);
    expect(warned(11, 1)).toEqual([expect.stringMatching(/The last 3 steps .* In every group all rewards are equal/)]);
    expect([warned(12, 1).length, warned(13, 0).length]).toEqual([1, 0]);
  });

  test("play takes a beginner from the base through SFT into GRPO; pause stays where it is", () => {
    start({ stage: "base", pace: 1 });
    playground.togglePlay();
    vi.advanceTimersByTime(400);
    expect(client.sent.filter(({ type }) => type === "stage")).toEqual([
      { type: "stage", stage: "sft" },
      { type: "stage", stage: "grpo" },
    ]);
    expect(run().stage).toBe("grpo");
    playground.pause();
    vi.advanceTimersByTime(200);
    expect(run().playing).toBe(false);
  });

  test("a policy that begins in GRPO speaks at once, and play trains it there", () => {
    start({}, "sft");
    expect(run()).toMatchObject({ stage: "grpo", step: 0, start: "sft" });
    expect(playground.live.groups.store.getState().now?.origin).toBe("sampled");
    playground.togglePlay();
    expect(client.sent.some(({ type }) => type === "stage")).toBe(false);
    expect(client.sent.at(-1)).toMatchObject({ type: "play", until: defaultSettings.grpo.steps });
  });

  test("an earlier stage starts again from the base: its answers, and the SFT data made of them", () => {
    start({}, "sft");
    client.sent.length = 0;
    playground.stage("sft");
    vi.advanceTimersByTime(200);
    expect(client.sent.map(({ type }) => type)).toEqual(["open", "observe", "stage"]);
    expect(client.sent[0]).toMatchObject({
      source: { kind: "shipped", name: "base" },
      resume: false,
      settings: { grpo: { groupSize: 2 } },
    });
    expect(run()).toMatchObject({ start: "base", stage: "sft", step: 0 });

    playground.stage("grpo");
    client.sent.length = 0;
    playground.stage("base");
    vi.advanceTimersByTime(200);
    expect(
      client.sent.map(({ type }) => type),
      "from a run that began at the base",
    ).toEqual(["reset", "configure", "sample"]);
    expect(run()).toMatchObject({ start: "base", stage: "base", step: 0 });
  });

  test("a moving slider is shown at once and sent as one command", () => {
    start({ stage: "grpo" });
    for (const lengthWeight of [0.2, 0.3, 0.4]) playground.configure({ reward: { lengthWeight } });
    playground.configure({ temperature: 0.7 });
    expect(run().wanted.reward.lengthWeight).toBe(0.4);
    expect(run().settings.reward.lengthWeight).toBe(defaultSettings.reward.lengthWeight);
    vi.advanceTimersByTime(500);
    expect(client.sent.filter(({ type }) => type === "configure")).toEqual([
      { type: "configure", settings: { reward: { lengthWeight: 0.4 }, temperature: 0.7 } },
    ]);
    expect(run().settings).toEqual(run().wanted);
  });

  test("what the controls show is used after a reset too", () => {
    start({ stage: "grpo", step: 5 });
    playground.configure({ reward: { accuracyWeight: 0.1 } });
    vi.advanceTimersByTime(200);
    client.sent.length = 0;
    playground.reset();
    expect(client.sent.map(({ type }) => type)).toEqual(["reset", "configure", "sample"]);
    expect(client.sent[1]).toMatchObject({ settings: { reward: { accuracyWeight: 0.1 } } });
  });

  test("training other parameters reopens the run", () => {
    start({ stage: "grpo", step: 5 });
    playground.configure({ freezeVision: false });
    expect(client.sent.at(-2)).toMatchObject({ type: "open", resume: false, settings: { freezeVision: false } });
    expect(client.sent.some(({ type }) => type === "configure")).toBe(false);
  });

  test("another form of reflection starts again from the base, which has not learnt one", () => {
    start({ stage: "grpo", step: 5 });
    playground.configure({ reflectionForm: { rounds: 2 } });
    expect(client.sent.at(-2)).toMatchObject({
      type: "open",
      source: { kind: "shipped", name: "base" },
      settings: { reflectionForm: { kind: "tags", rounds: 2 } },
    });
    client.sent.length = 0;
    playground.configure({ reflectionForm: { rounds: 2 } });
    expect(client.sent.some(({ type }) => type === "open")).toBe(false);
  });

  test("opening another policy forgets where the last one lived, also when it fails", () => {
    start({ stage: "grpo", step: 5 });
    playground.open({ kind: "files", files: [] });
    expect(run()).toMatchObject({ status: "starting", opened: null, start: "own", stage: "base" });
    client.emit({ type: "error", message: "config.json is no JSON.", fatal: true });
    playground.live.flush();
    expect(run()).toMatchObject({ status: "failed", opened: null, start: "own" });
  });

  test("draws at most ten times a second, and not at all in a hidden tab", () => {
    start({ stage: "grpo", pace: 2 });
    const drawn = vi.fn();
    playground.live.history.store.subscribe(drawn);
    playground.togglePlay();
    vi.advanceTimersByTime(1000);
    expect(drawn.mock.calls.length).toBeGreaterThan(5);
    expect(drawn.mock.calls.length).toBeLessThanOrEqual(11);
    hidden = true;
    drawn.mockClear();
    vi.advanceTimersByTime(500);
    expect(drawn).not.toHaveBeenCalled();
    hidden = false;
    playground.live.flush();
    expect(drawn).toHaveBeenCalledTimes(1);
  });

  test("looking back never changes what the visitor chose, and stepping forward leads back to now", () => {
    start({ stage: "grpo", pace: 1 });
    playground.togglePlay();
    vi.advanceTimersByTime(400);
    playground.back();
    const looked = playground.live.groups.store.getState().viewedStep;
    vi.advanceTimersByTime(200);
    expect(looked).not.toBeNull();
    expect(playground.live.groups.store.getState().viewedStep).toBe(looked);
    const before = client.sent.length;
    playground.step();
    expect(client.sent).toHaveLength(before);
  });

  test("tells of a lost device, a refused step and a fatal error in words", () => {
    start({ stage: "grpo", step: 5 });
    playground.loseDevice();
    client.emit({ type: "refused", step: 6, message: "The loss is NaN." });
    vi.advanceTimersByTime(200);
    expect(run().status).toBe("recovering");
    expect(run().notices.map(({ title }) => title)).toEqual(["The device was lost", "Step 6 was rejected"]);
    client.emit({ type: "error", message: "model.safetensors is truncated.", fatal: true });
    vi.advanceTimersByTime(200);
    expect(run().status).toBe("failed");
    expect(run().notices.at(-1)?.text).toMatch(/truncated/);
  });
});
