/** The page's words for what a recipe decides: a label for every key of its record, and how a value is written. */

import { formatNumber } from "../../srpo/notation";
import type { GrpoRecipe, Recipe } from "../../srpo/recipe";
import type { RewardConfig } from "../../srpo/types";
import { isSection } from "../../worker/protocol";
import { TRANSITION_WORDS } from "./words";

/** The type asks for a label of every key: a new setting without one does not compile. */
const LABELS: {
  readonly reward: { readonly [K in keyof Omit<RewardConfig, "customTerms">]-?: string };
  readonly temperature: string;
  readonly grpo: { readonly [K in keyof GrpoRecipe]-?: string };
} = {
  reward: {
    variant: "scorer",
    formatWeight: "format reward",
    accuracyWeight: "first answer right",
    effectiveness: "reflection helped",
    effectivenessWeight: "weight of I_eff",
    adaptiveTiers: "adaptive tiers",
    reflectionFormatWeight: "reflection present",
    lengthWeight: "weight of f_len",
    lengthShape: "shape of f_len",
    targetFactor: "target length factor",
    maxFactor: "greatest length factor",
    overlongWeight: "overlong penalty",
    overlongCache: "overlong cache",
  },
  temperature: "temperature",
  grpo: {
    preset: "numerics",
    advantage: "advantage",
    surrogate: "surrogate",
    ratioLevel: "ratio per",
    clipLow: "clip below",
    clipHigh: "clip above",
    ratioMax: "ratio clamp",
    dualClip: "dual clip",
    cispoLow: "least ratio",
    cispoHigh: "ratio cap",
    tauPositive: "gate τ, A > 0",
    tauNegative: "gate τ, A ≤ 0",
    aggregation: "mean over",
    beta: "KL weight β",
    klEstimator: "KL estimate",
    klPlacement: "KL in the",
    groupSize: "group size",
    updatesPerRollout: "updates per rollout",
    epochs: "passes per rollout",
    maskTruncated: "mask truncated",
    onlineFilter: "groups kept",
    refills: "refills",
    replay: "sample replay",
    rethinking: "forced rethinking",
    failures: "failure buffer",
    stages: "stages",
  },
};

/** What a setting means when it is null. */
const NOTHING: Readonly<Record<string, string>> = {
  "grpo.onlineFilter": "all",
  "grpo.replay": "none",
  "grpo.rethinking": "none",
  "grpo.rethinking.trigger": "what opens a reflection",
  "grpo.failures": "none",
  "grpo.ratioMax": "the numerics' own",
  "grpo.dualClip": "the numerics' own",
};

/** Values whose name in the settings says little. */
const VALUES: Readonly<Record<string, string>> = {
  "grpo.advantage group": "z-score in the group",
  "grpo.advantage centred": "minus the group mean",
  "grpo.advantage batch-std": "over the step's std",
  "grpo.advantage leave-one-out": "minus the others' mean",
  "grpo.advantage whitened": "whitened over the step",
  "grpo.advantage gdpo": "each term normalised",
  "grpo.aggregation token-mean": "all tokens",
  "grpo.aggregation seq-mean-token-mean": "responses, of token means",
  "grpo.aggregation seq-mean-token-sum": "responses, of token sums",
  "grpo.aggregation seq-mean-token-sum-norm": "tokens, by a constant",
  "grpo.onlineFilter mixed": "mixed only",
};

/** Whether SFT comes first at a recipe's source, and here. */
export function startSentence({ coldStart, nano }: Pick<Recipe, "coldStart" | "nano">): string {
  if (coldStart) return "Its source begins with SFT.";
  if (nano.coldStart !== true) return "Its source starts without SFT.";
  return `Its source starts without SFT, but not this policy. ${nano.whys.coldStart ?? ""}`.trimEnd();
}

/** Label of a setting by its path, e.g. "clip above" of grpo.clipHigh. */
export function settingLabel(path: string): string {
  const [section = "", key = "", inner] = path.split(".");
  if (section === "temperature") return LABELS.temperature;
  if (key === "effectiveness" && inner !== undefined)
    return Object.entries(TRANSITION_WORDS).find(([transition]) => transition === inner)?.[1].label ?? inner;
  const labels: Readonly<Record<string, string>> = section === "reward" ? LABELS.reward : LABELS.grpo;
  return [labels[key] ?? key, ...(inner === undefined ? [] : [inner])].join(" ");
}

/** A value as it is read: 0.28, mixed only, 0.1 to 0.9, up to 56 tokens × 16. */
export function settingValue(path: string, value: unknown): string {
  if (value === null) return NOTHING[path] ?? "none";
  if (typeof value === "number") return formatNumber(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) {
    if (value.length === 0) return path === "grpo.stages" ? "one" : "none";
    if (value.every((each) => typeof each === "number")) return value.map(formatNumber).join(" to ");
    return value.map((each) => settingValue(path, each)).join(", then ");
  }
  if (isSection(value)) return path === "grpo.stages" ? stageValue(value) : entries(path, value);
  const text = String(value);
  return VALUES[`${path} ${text}`] ?? text;
}

function stageValue({ steps, maxNewTokens, groupSize, beta }: Readonly<Record<string, unknown>>): string {
  const kl = beta === 0 ? "" : `, β ${String(beta)}`;
  return `${String(steps)} steps of ${String(maxNewTokens)} tokens × ${String(groupSize)}${kl}`;
}

const entries = (path: string, section: Readonly<Record<string, unknown>>): string =>
  Object.entries(section)
    .map(
      ([key, value]) =>
        `${key.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`)} ${settingValue(`${path}.${key}`, value)}`,
    )
    .join(", ");
