/**
 * The page on a script instead of an engine, one state at a time: `stage.html?state=NAME`. Served only by the
 * development server, for screenshots and for looking at states that are hard to reach; not part of the build.
 */
import { createRoot } from "react-dom/client";
import { defaultSettings, type GroupRecord, type SettingsPatch } from "../../worker/protocol";
import { PlaygroundContext } from "../state/hooks";
import { createPlayground, type PlaygroundController } from "../state/playgroundController";
import { view } from "../state/view";
import { Page } from "../views/Page";
import "../styles/index.css";
import { finish, group, random } from "./fixture";
import { KEEPING_SCENES } from "./keepingScenes";
import { begunAfterFailure, madeToThinkAgain, replayed } from "./mechanismScenes";
import { flat, long, malformed, ROUNDS, rounds, withSamples } from "./sceneRecords";
import { type Script, ScriptedClient } from "./scriptedClient";

interface Scene {
  readonly script: Script;
  /** Settings beyond the defaults. */
  readonly settings?: SettingsPatch;
  readonly play?: (playground: PlaygroundController, client: ScriptedClient) => void;
}

const fixture = (seed: number, skill: number): GroupRecord =>
  group({ seed, skill, groupSize: 8, phase: "update", reward: defaultSettings.reward });
const only = (client: ScriptedClient, change: GroupRecord): void =>
  client.emit({
    type: "phase",
    phase: "update",
    step: 37,
    groups: [finish(change.problem, change.samples, "update", random(1))],
  });

const SCENES: Readonly<Record<string, Scene>> = {
  ...KEEPING_SCENES,
  first: { script: { stuck: "download" }, play: (playground) => playground.prepare(fixture(3, 0.4)) },
  base: { script: { stage: "base" } },
  sft: { script: { stage: "sft" } },
  sftTraining: { script: { stage: "sft", step: 140 } },
  grpo: { script: { stage: "grpo", step: 37 } },
  late: { script: { stage: "grpo", step: 5000 } },
  step1: { script: { stage: "grpo", step: 1 } },
  several: {
    script: { stage: "grpo", step: 37 },
    settings: { grpo: { updatesPerRollout: 4, clipHigh: 0.28, onlineFilter: "mixed", refills: 3, beta: 0.04 } },
    play: () => setTimeout(() => document.querySelector(".step-report")?.scrollIntoView(), 300),
  },
  changed: {
    script: { stage: "grpo", step: 37 },
    settings: { grpo: { clipHigh: 0.28, onlineFilter: "mixed", beta: 0.04, aggregation: "token-mean" } },
  },
  recipes: {
    script: { stage: "grpo", step: 37 },
    play: () => view.setState({ recipes: "vl-rethinker" }),
  },
  more: {
    script: { stage: "grpo", step: 37 },
    settings: {
      grpo: {
        beta: 0.01,
        onlineFilter: [0.1, 0.9],
        refills: 3,
        stages: [
          { steps: 75, maxNewTokens: 56, groupSize: 16, beta: 0 },
          { steps: 75, maxNewTokens: 104, groupSize: 8, beta: 0.01 },
        ],
      },
    },
    play: () =>
      setTimeout(() => {
        document.querySelector(".more")?.setAttribute("open", "");
        document.querySelector(".method")?.scrollIntoView();
      }, 300),
  },
  recipesSrpo: { script: { stage: "grpo", step: 37 }, play: () => view.setState({ recipes: "srpo" }) },
  refill: {
    script: { stage: "grpo", step: 37, pace: 5 },
    settings: { grpo: { onlineFilter: "mixed", refills: 3 } },
    play: (playground) => {
      for (const at of [0, 400, 800]) setTimeout(() => playground.phase(), at);
    },
  },
  truncated: {
    script: { stage: "grpo", step: 37 },
    play: (_, client) =>
      client.emit({
        type: "stepped",
        metrics: { step: 38, stage: "grpo", updates: 0, "completions/clipped_ratio": 1 },
      }),
  },
  rollout: { script: { stage: "grpo", step: 37, pace: 10 }, play: (playground) => playground.phase() },
  score: {
    script: { stage: "grpo", step: 37, pace: 5 },
    play: (playground) => {
      playground.phase();
      setTimeout(() => playground.phase(), 100);
    },
  },
  moved: {
    script: { stage: "grpo", step: 37 },
    play: (playground) =>
      playground.configure({
        reward: { effectiveness: { kept: 0.6, fixed: 0.1, stillWrong: 0, spoilt: -0.8 }, accuracyWeight: 0.2 },
      }),
  },
  ownTerms: {
    script: { stage: "grpo", step: 37 },
    play: (playground) => {
      const customTerms = [
        { name: "second_look", expression: 'transition == "fixed" ? 1 : 0', weight: 0.3 },
        { name: "wordy", expression: "max(0, reflection.tokens - 10) / 20", weight: -0.4 },
        { name: "picky", expression: "log(refined.right - 0.5)", weight: 0.1 },
      ];
      playground.configure({ reward: { customTerms } });
      setTimeout(() => document.querySelectorAll<HTMLElement>(".row-toggle")[1]?.click(), 200);
      setTimeout(() => document.querySelector(".own-term")?.scrollIntoView(), 400);
    },
  },
  wasm: { script: { stage: "grpo", step: 12, backend: "wasm" } },
  why: {
    script: { stage: "grpo", step: 37 },
    play: (_, client) => {
      only(client, fixture(8, 0.4));
      setTimeout(() => document.querySelectorAll<HTMLElement>(".advantage")[3]?.focus(), 300);
    },
  },
  open: {
    script: { stage: "grpo", step: 37 },
    play: () => setTimeout(() => document.querySelectorAll<HTMLElement>(".row-toggle")[1]?.click(), 200),
  },
  help: { script: { stage: "grpo", step: 37 }, play: () => view.setState({ help: true }) },
  sheet: { script: { stage: "grpo", step: 37 }, play: () => view.setState({ sheet: true }) },
  badge: {
    script: { stage: "grpo", step: 12, backend: "wasm" },
    play: () => setTimeout(() => document.querySelector<HTMLElement>("button.badge")?.click(), 300),
  },
  snapshot: {
    script: { stage: "grpo", step: 120 },
    play: () => setTimeout(() => document.querySelectorAll<HTMLElement>(".snapshot")[1]?.click(), 300),
  },
  lost: { script: { stage: "grpo", step: 37 }, play: (playground) => playground.loseDevice() },
  refused: {
    script: { stage: "grpo", step: 37 },
    play: (_, client) =>
      client.emit({
        type: "refused",
        step: 38,
        message: "The gradient norm is not finite (NaN), from row 3 of problem 5.",
      }),
  },
  nothingRight: {
    script: { stage: "grpo", step: 37 },
    play: (_, client) =>
      only(
        client,
        withSamples(fixture(5, 0.1), (sample) =>
          sample.score && "terms" in sample.score
            ? {
                ...sample,
                score: { ...sample.score, firstRight: false, refinedRight: false, transition: "stillWrong" },
              }
            : sample,
        ),
      ),
  },
  flat: { script: { stage: "grpo", step: 37 }, play: (_, client) => only(client, flat(fixture(5, 0.95))) },
  long: { script: { stage: "grpo", step: 37 }, play: (_, client) => only(client, long(fixture(8, 0.4))) },
  malformed: { script: { stage: "grpo", step: 37 }, play: (_, client) => only(client, malformed(fixture(8, 0.4))) },
  rounds: {
    script: { stage: "grpo", step: 37 },
    play: (playground, client) => {
      only(client, rounds(fixture(8, 0.4)));
      playground.live.run.change((state) => ({ ...state, wanted: { ...state.wanted, reflectionForm: ROUNDS } }));
      setTimeout(() => document.querySelectorAll<HTMLElement>(".row-toggle")[4]?.click(), 200);
      setTimeout(() => document.querySelector<HTMLElement>(".more summary")?.click(), 300);
    },
  },
  adaptive: {
    script: { stage: "grpo", step: 37 },
    play: (playground, client) => {
      const rule = { window: 20, strength: 0.5, bound: 2 };
      const factors = { kept: 0.66, fixed: 1.51 };
      const reward = { ...defaultSettings.reward, adaptiveTiers: { ...rule, factors } };
      const paid = group({ seed: 8, skill: 0.4, groupSize: 8, phase: "update", reward });
      client.emit({ type: "phase", phase: "update", step: 37, groups: [{ ...paid, tierFactors: factors }] });
      playground.configure({ reward: { adaptiveTiers: rule } });
    },
  },
  thinkAgain: {
    script: { stage: "grpo", step: 37 },
    settings: { grpo: { rethinking: { fraction: 0.65, trigger: null, perGroup: 2, maxTokens: 40, weight: 0.05 } } },
    play: (_, client) => {
      client.emit({ type: "phase", phase: "update", step: 37, groups: [madeToThinkAgain(fixture(8, 0.4), 5, 2)] });
      setTimeout(() => document.querySelectorAll<HTMLElement>(".is-continued .row-toggle")[1]?.click(), 300);
      setTimeout(() => document.querySelector(".continuations")?.scrollIntoView({ block: "end" }), 500);
    },
  },
  begun: {
    script: { stage: "grpo", step: 37 },
    play: (_, client) =>
      client.emit({
        type: "phase",
        phase: "update",
        step: 37,
        groups: [begunAfterFailure(fixture(8, 0.4)), ...[21, 22].map((seed) => fixture(seed, 0.5))],
      }),
  },
  replayed: {
    script: { stage: "grpo", step: 37 },
    play: (playground, client) => {
      const groups = [...[21, 22].map((seed) => fixture(seed, 0.5)), replayed(fixture(8, 0.4), 31)];
      client.emit({ type: "phase", phase: "update", step: 37, groups });
      playground.live.groups.change((state) => ({ ...state, selectedGroup: 2 }));
    },
  },
  failed: {
    script: { stage: "grpo", step: 37 },
    play: (_, client) =>
      only(
        client,
        withSamples(fixture(8, 0.5), (sample, row) =>
          row === 4 ? { ...sample, score: { error: "The grader could not read “1/0” as a number." } } : sample,
        ),
      ),
  },
};

const query = new URLSearchParams(location.search);
const scene = SCENES[query.get("state") ?? "grpo"] ?? SCENES.grpo;
const root = document.getElementById("root");
if (scene === undefined || root === null) throw new Error('stage.html needs an element with id "root" and a scene.');

const client = new ScriptedClient(scene.script);
const playground = createPlayground({ client, onExported: () => undefined, hidden: () => false });
view.setState({
  theme: query.get("theme") === "dark" ? "dark" : "light",
  firstLineSeen: query.get("state") !== "first" && query.get("state") !== "base",
});
playground.open(
  {
    kind: "shipped",
    name: scene.script.stage === "base" || scene.script.stage === "sft" ? "base" : "sft",
  },
  { settings: scene.settings ?? {} },
);
setTimeout(() => scene.play?.(playground, client), 60);
createRoot(root).render(
  <PlaygroundContext value={playground}>
    <Page />
  </PlaygroundContext>,
);
