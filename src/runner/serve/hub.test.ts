/** One run, many tabs: what each receives when it joins, who steers, and that full-size groups stay within bounds. */
import { describe, expect, test } from "vitest";
import type { Picture } from "../../tasks/problem";
import { encodeMessage } from "../../worker/codec";
import {
  type Command,
  defaultSettings,
  type Event,
  type GroupRecord,
  type SampleRecord,
  type StepMetrics,
} from "../../worker/protocol";
import type { EventBody } from "../../worker/runLifecycle";
import { HOST_RUN, Hub, type Tab } from "./hub";
import { MAX_TOKENS, PREVIEW_SIDE, PREVIEW_TOKENS, previewOf, shrink } from "./preview";

const opened: EventBody = {
  type: "opened",
  backend: "wasm",
  adapter: "SIMD",
  features: [],
  costs: { download: 0, device: 0, pipelines: 0, selfTest: 0, load: 0 },
  passedOver: [],
  parameters: 1,
  settings: defaultSettings,
  stage: "grpo",
  step: 0,
  resumed: false,
  start: "own",
  history: [],
};
const metrics = (step: number): StepMetrics => ({ step, stage: "grpo", loss: step / 10 });
const picture = (width: number, height: number): Picture => ({
  width,
  height,
  pixels: new Uint8Array(width * height * 3).fill(200),
});

function sample(tokens: number, updated = false): SampleRecord {
  const each = <T>(value: (at: number) => T): T[] => Array.from({ length: tokens }, (_, at) => value(at));
  return {
    text: each((at) => `w${at}`).join(" "),
    tokens: each((at) => ` w${at}`),
    tokenIds: each((at) => 1000 + at),
    logprobs: each((at) => Math.fround(-at / tokens)),
    entropies: each(() => 0.5),
    segments: each(() => "first"),
    finished: true,
    ...(updated ? { logprobsAfter: each(() => -0.25) } : {}),
  };
}

/** A group whose samples are all alike. */
function group(samples: number, tokens: number, of = picture(32, 32)): GroupRecord {
  const one = sample(tokens, true);
  return {
    problem: { id: "bars:train:1", family: "bars", picture: of, question: "A ?", answer: "1" },
    samples: Array.from({ length: samples }, () => one),
  };
}
/** A step whose groups are all alike. */
const alike = (groups: number, one: GroupRecord): GroupRecord[] => Array.from({ length: groups }, () => one);

interface Rig {
  readonly hub: Hub;
  readonly commands: Command[];
  readonly written: string[];
  post(event: EventBody): void;
  tab(run: string): Tab & { readonly heard: Event[]; say(command: Command): void };
}

function rig(): Rig {
  const commands: Command[] = [];
  const written: string[] = [];
  const hub = new Hub({
    policy: "policies/tiny",
    data: "own.jsonl",
    largestExport: 100,
    command: (command) => commands.push(command),
    write: async (files) => {
      written.push(...files.keys());
      return "run/policy";
    },
  });
  return {
    hub,
    commands,
    written,
    post: (event) => hub.post({ ...event, run: HOST_RUN }),
    tab(run) {
      const heard: Event[] = [];
      const tab: Tab = { send: (event) => void heard.push(event) };
      hub.join(tab);
      const say = (command: Command): void => hub.receive(tab, command);
      say({ run, type: "open", source: { kind: "files", files: [] }, settings: {}, backend: null, resume: true });
      return Object.assign(tab, { heard, say });
    },
  };
}

const types = (events: readonly Event[]): string[] => events.map(({ type }) => type);

describe("a tab that comes later", () => {
  test("receives the state of the run: history, settings, the group, what is under way", () => {
    const { post, tab } = rig();
    post(opened);
    post({ type: "playing", playing: true });
    post({ type: "configured", settings: { ...defaultSettings, temperature: 0.5 } });
    post({ type: "phase", phase: "update", step: 1, groups: [group(2, 4)] });
    post({ type: "stepped", metrics: metrics(1) });
    post({ type: "phaseStarted", phase: "rollout", step: 2 });
    const late = tab("late");
    expect(types(late.heard)).toEqual(["opened", "snapshots", "phase", "phaseStarted", "playing"]);
    expect(late.heard[0]).toMatchObject({
      run: "late",
      resumed: true,
      step: 1,
      history: [metrics(1)],
      settings: { temperature: 0.5 },
    });
    expect(late.heard.at(-1)).toMatchObject({ playing: true });
    post({ type: "stepped", metrics: metrics(2) });
    expect(late.heard.at(-1)).toMatchObject({ run: "late", type: "stepped", metrics: metrics(2) });
  });

  test("after a rewind hears nothing of the steps that were dropped", () => {
    const { post, tab } = rig();
    post(opened);
    post({
      type: "evaluated",
      evaluation: {
        step: 2,
        stage: "grpo",
        problems: 1,
        samples: 1,
        accuracyFirst: 1,
        accuracyRefined: 1,
        wellFormed: 1,
        meanLength: 1,
        transitions: { kept: 1, fixed: 0, stillWrong: 0, spoilt: 0 },
        byFamily: {},
      },
    });
    post({ type: "phase", phase: "update", step: 2, groups: [group(2, 4)] });
    post({ type: "restored", stage: "grpo", step: 1, history: [metrics(1)] });
    expect(types(tab("late").heard)).toEqual(["opened", "snapshots", "playing"]);
  });

  test("before the run is open waits for it, and hears of a failure", () => {
    const { post, tab } = rig();
    const early = tab("early");
    expect(early.heard).toEqual([]);
    post({ type: "error", fatal: true, message: "no backend" });
    expect(types(early.heard)).toEqual(["error"]);
    expect(types(tab("later").heard)).toEqual(["error"]);
  });
});

describe("steering", () => {
  test("the first tab steers, the second watches and takes over when the first goes", () => {
    const { hub, post, tab, commands } = rig();
    post(opened);
    const first = tab("a");
    const second = tab("b");
    expect([first, second].map(({ heard }) => heard[0])).toMatchObject([
      { served: { steering: true, data: "own.jsonl" } },
      { served: { steering: false } },
    ]);
    second.say({ run: "b", type: "step" });
    expect(second.heard.at(-1)).toMatchObject({
      type: "error",
      fatal: false,
      message: expect.stringContaining("This tab only watches") as string,
    });
    first.say({ run: "a", type: "step" });
    expect(commands).toEqual([{ run: HOST_RUN, type: "step" }]);
    hub.leave(first);
    expect(second.heard.at(-1)).toEqual({ run: "b", type: "steering", steering: true });
    second.say({ run: "b", type: "pause" });
    expect(commands.at(-1)).toEqual({ run: HOST_RUN, type: "pause" });
  });

  test("can be asked for, and is then taken from the other", () => {
    const { post, tab } = rig();
    post(opened);
    const first = tab("a");
    const second = tab("b");
    second.say({ run: "b", type: "steer" });
    expect(first.heard.at(-1)).toEqual({ run: "a", type: "steering", steering: false });
    expect(second.heard.at(-1)).toEqual({ run: "b", type: "steering", steering: true });
  });

  test("the run outlives its tabs; with none left no group is measured for showing", () => {
    const { hub, post, tab, commands } = rig();
    post(opened);
    const only = tab("a");
    only.say({ run: "a", type: "close" });
    expect(commands).toEqual([]);
    hub.leave(only);
    expect(commands).toEqual([{ run: HOST_RUN, type: "observe", group: null }]);
  });

  test("commands of a run that the tab has left are not heard", () => {
    const { post, tab, commands } = rig();
    post(opened);
    tab("a").say({ run: "older", type: "step" });
    expect(commands).toEqual([]);
  });
});

describe("an exported policy", () => {
  test("goes to the tab that steers; one that is too large is written on the runner's disk", async () => {
    const { post, tab, written } = rig();
    post(opened);
    const first = tab("a");
    const second = tab("b");
    post({ type: "exported", files: [{ path: "config.json", bytes: new ArrayBuffer(100) }] });
    expect(first.heard.at(-1)).toMatchObject({ type: "exported", files: [{ path: "config.json" }] });
    post({ type: "exported", files: [{ path: "model.safetensors", bytes: new ArrayBuffer(101) }] });
    await Promise.resolve();
    expect(first.heard.at(-1)).toEqual({ run: "a", type: "exported", files: [], writtenTo: "run/policy" });
    expect(written).toEqual(["model.safetensors"]);
    expect(types(second.heard)).not.toContain("exported");
  });
});

describe("previews", () => {
  const phase = (groups: GroupRecord[]): EventBody => ({ type: "phase", phase: "update", step: 1, groups });
  const groupsOf = (event: EventBody): readonly GroupRecord[] => (event.type === "phase" ? event.groups : []);

  test("a nano policy's groups go as they are", () => {
    const groups = alike(16, group(8, 104));
    for (const shown of groupsOf(previewOf(phase(groups), 3))) {
      expect(shown.problem).toBe(groups[0]?.problem);
      shown.samples.forEach((each, row) => expect(each).toBe(groups[0]?.samples[row]));
    }
  });

  test(
    "of a full-size step the group that is looked at is whole, of the others the beginning; sums are always of " +
      "the whole",
    () => {
      const whole = alike(8, group(8, 1024, picture(1200, 800)));
      const groups = groupsOf(previewOf(phase(whole), 5));
      expect(groups.map(({ samples }) => samples[0]?.tokens.length)).toEqual([96, 96, 96, 96, 96, 1024, 96, 96]);
      expect(groups[5]?.samples[0]).toBe(whole[5]?.samples[0]);
      const [cut] = groups[0]?.samples ?? [];
      expect(cut).toMatchObject({
        text: whole[0]?.samples[0]?.text,
        whole: { tokens: 1024, logprob: expect.closeTo(-511.5, 1) as number, entropy: 512, logprobAfter: -256 },
      });
      for (const list of [cut?.tokenIds, cut?.logprobs, cut?.entropies, cut?.segments, cut?.logprobsAfter])
        expect(list).toHaveLength(PREVIEW_TOKENS);
      expect(groups[0]?.problem).toMatchObject({
        picture: { width: PREVIEW_SIDE, height: 256 },
        fullSize: { width: 1200, height: 800 },
      });
    },
  );

  test("the group that is looked at is bounded too, and the message with it", () => {
    const groups = groupsOf(previewOf(phase(alike(2, group(16, 8192))), 0));
    expect(groups[0]?.samples.reduce((sum, { tokens }) => sum + tokens.length, 0)).toBe(MAX_TOKENS);
    // 16 prompts × 8 responses × 1024 tokens, with pictures of a megapixel.
    const step = phase(alike(16, group(8, 1024, picture(1024, 1024))));
    expect(encodeMessage(previewOf(step, 0)).length).toBeLessThan(10 * 2 ** 20);
  });

  test("continued responses count towards the bound and are cut with the rest", () => {
    const continued = alike(2, group(8, 2048)).map((each) => ({ ...each, rethought: each.samples }));
    const lengths = groupsOf(previewOf(phase(continued), 0)).map(({ rethought = [] }) => rethought[0]?.tokens.length);
    expect(lengths).toEqual([2048, PREVIEW_TOKENS]);
  });

  test("another group that is looked at comes whole at once", () => {
    const { post, tab } = rig();
    post(opened);
    const page = tab("a");
    post(phase(alike(8, group(8, 1024))));
    page.say({ run: "a", type: "observe", group: 2 });
    const last = page.heard.at(-1);
    expect(last?.type === "phase" ? last.groups.map(({ samples }) => samples[0]?.tokens.length) : []).toEqual([
      96, 96, 1024, 96, 96, 96, 96, 96,
    ]);
  });

  test("a picture shrinks to the mean of its pixels", () => {
    const wide: Picture = {
      width: 2 * PREVIEW_SIDE,
      height: 2,
      pixels: Uint8Array.from({ length: 2 * PREVIEW_SIDE * 2 * 3 }, (_, at) =>
        Math.floor(at / 3) % 2 === 0 ? 10 : 30,
      ),
    };
    const small = shrink(wide);
    expect([small.width, small.height]).toEqual([PREVIEW_SIDE, 1]);
    expect(new Set(small.pixels)).toEqual(new Set([20]));
  });
});
