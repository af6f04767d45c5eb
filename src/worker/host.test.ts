/** The host behind its protocol: everything a page does, on the wasm backend with a tiny policy, without a browser. */
import { beforeAll, describe, expect, test } from "vitest";
import type { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { createRig, OPEN, only, type Rig, send, taughtFiles } from "./testing/hostRig";

let files: InMemoryFiles;
const rig = (): Rig => createRig({ filesOf: () => files });

beforeAll(async () => {
  files = await taughtFiles();
});

describe("a run", () => {
  test("opens, says which backend and why others were passed over, and what it cost", async () => {
    const page = rig();
    const [opened] = only(await send(page, OPEN), "opened");
    expect(opened).toMatchObject({
      backend: "wasm",
      passedOver: [{ backend: "webgpu", why: "no adapter" }],
      stage: "grpo",
      step: 0,
      resumed: false,
      start: "sft",
    });
    expect(opened?.costs).toMatchObject({ device: 1, selfTest: 2 });
    expect(opened?.parameters).toBeGreaterThan(10_000);
    expect(page.faults).toEqual([]);
  });

  test("sub-steps show what each phase made; a step finishes what is left", async () => {
    const page = rig();
    await send(page, OPEN);
    expect(only(await send(page, { type: "phase" }), "phase")[0]).toMatchObject({ phase: "rollout", step: 1 });
    const [scored] = only(await send(page, { type: "phase" }), "phase");
    expect(scored?.groups[0]?.samples[0]?.score).toBeDefined();
    expect(scored?.groups[0]?.normalised).toBeUndefined();
    const rest = await send(page, { type: "step" });
    expect(only(rest, "phase").map(({ phase }) => phase)).toEqual(["normalise", "update"]);
    expect(only(rest, "phase")[1]?.groups[0]?.samples[0]?.logprobsAfter).toBeDefined();
    expect(only(rest, "stepped")[0]?.metrics).toMatchObject({ step: 1, stage: "grpo" });
  });

  test("plays to the planned end, at most ten group records a second, and can be paused", async () => {
    const page = rig();
    await send(page, OPEN);
    const played = await send(page, { type: "play", delay: 0, until: null });
    expect(only(played, "stepped").map(({ metrics }) => metrics.step)).toEqual([1, 2, 3, 4]);
    expect(only(played, "phase").length).toBeLessThan(16);
    expect(only(played, "playing").map(({ playing }) => playing)).toEqual([true, false]);
    page.client.send({ type: "play", delay: 0, until: 1000 });
    await page.client.next("stepped");
    const paused = await send(page, { type: "pause" });
    expect(paused.at(-1)?.type).toBe("playing");
    expect(only(page.events, "stepped").length).toBeLessThan(100);
  });

  test("SFT shows its data as it is built, then trains", async () => {
    const page = rig();
    await send(page, OPEN, { type: "stage", stage: "sft" });
    const events = await send(page, { type: "step" });
    const data = only(events, "data");
    expect(data.at(-1)?.progress).toMatchObject({ collected: 8, wanted: 8 });
    expect(data.flatMap(({ examples }) => examples)).toHaveLength(8);
    expect(only(events, "stepped")[0]?.metrics).toMatchObject({ stage: "sft", step: 1 });
  });

  test("reset and restore go back bit for bit", async () => {
    const page = rig();
    await send(page, OPEN, { type: "step" }, { type: "step" });
    const first = only(page.events, "stepped").map(({ metrics }) => metrics.grad_norm);
    const timeline = only(page.events, "snapshots").at(-1)?.snapshots ?? [];
    expect(timeline.map(({ step }) => step)).toEqual([0, 1, 2]);
    const back = await send(page, { type: "restore", snapshot: timeline[1]?.id ?? "" });
    expect(only(back, "restored")[0]).toMatchObject({ step: 1 });
    expect(only(await send(page, { type: "step" }), "stepped")[0]?.metrics.grad_norm).toBe(first[1]);
    await send(page, { type: "reset" });
    expect(only(await send(page, { type: "step" }), "stepped")[0]?.metrics.grad_norm).toBe(first[0]);
  });

  test("samples, evaluates, exports, and reports a command that fails without stopping", async () => {
    const page = rig();
    await send(page, OPEN);
    expect(
      only(await send(page, { type: "sample", family: "bars", greedy: false }), "sampled")[0]?.group.samples,
    ).toHaveLength(3);
    expect(only(await send(page, { type: "evaluate", problems: 4 }), "evaluated")[0]?.evaluation.problems).toBe(4);
    const [exported] = only(await send(page, { type: "export" }), "exported");
    expect(exported?.files.map(({ path }) => path)).toContain("model.safetensors");
    const failed = await send(
      page,
      { type: "restore", snapshot: "nonsense" },
      { type: "sample", family: "rivers", greedy: true },
      { type: "step" },
    );
    expect(only(failed, "error").map(({ fatal }) => fatal)).toEqual([false, false]);
    expect(only(failed, "stepped")).toHaveLength(1);
  });

  test("a message that is not a command is reported; commands of another run are ignored", async () => {
    const page = rig();
    await send(page, OPEN);
    page.host.receive({ run: "run-1", type: "stage", stage: "rlhf" });
    expect(only(page.events, "error")[0]?.message).toMatch(/stage/);
    const before = page.events.length;
    page.host.receive({ run: "older", type: "step" });
    await page.host.idle();
    expect(page.events).toHaveLength(before);
  });
});
