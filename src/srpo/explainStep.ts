/**
 * What one GRPO step did, in sentences: how many updates it made and what the clip stopped, which groups the filter
 * kept, whether there was a KL, and what made it learn nothing. Derived from the step's metrics and the settings it
 * began with, so that the page and the runner say the same.
 */
import { undrawnFailures } from "./failureBuffer";
import { formatNumber } from "./notation";
import type { GrpoRecipe } from "./recipe";

/** The metrics that the sentences are made of (src/training/records.ts); absent ones were not measured. */
export interface StepNumbers {
  readonly stage: string;
  readonly updates?: number;
  readonly grad_norm?: number;
  readonly learning_rate?: number;
  readonly reward?: number | undefined;
  readonly "score/failed"?: number;
  readonly "completions/clipped_ratio"?: number;
  readonly "clip_ratio/low_mean"?: number;
  readonly "clip_ratio/high_mean"?: number;
  readonly "ratio/min"?: number;
  readonly "ratio/max"?: number;
  readonly "ratio/gate"?: number;
  readonly ppo_kl?: number;
  readonly "filter/drawn"?: number;
  readonly "filter/kept"?: number;
  readonly "filter/refills"?: number;
  readonly kl?: number;
  readonly "rewards/kl"?: number;
  readonly "stage/number"?: number;
  readonly "completions/masked"?: number;
  readonly "rewards/overlong"?: number;
  readonly "replay/effective"?: number;
  readonly "replay/drawn"?: number;
  readonly "replay/buffer"?: number;
  readonly "rethinking/tried"?: number;
  readonly "rethinking/kept"?: number;
  readonly "failures/groups"?: number;
  readonly "failures/buffer"?: number;
  readonly frac_reward_zero_std?: number;
}

export interface StepSettings {
  readonly maxNewTokens: number;
  readonly grpo: Pick<
    GrpoRecipe,
    | "surrogate"
    | "ratioLevel"
    | "clipLow"
    | "clipHigh"
    | "cispoLow"
    | "cispoHigh"
    | "beta"
    | "klPlacement"
    | "updatesPerRollout"
    | "epochs"
    | "stages"
  > &
    // Of a step with a failure buffer.
    Partial<Pick<GrpoRecipe, "failures"> & { readonly prompts: number }>;
}

export const STEP_TOPICS = [
  "truncated",
  "no update",
  "updates",
  "clip",
  "filter",
  "replay",
  "rethinking",
  "failures",
  "overlong",
  "masked",
  "kl",
  "stage",
] as const;
export type StepTopic = (typeof STEP_TOPICS)[number];

export interface StepNote {
  readonly topic: StepTopic;
  /** Something is wrong with the run, not only with this step. */
  readonly loud: boolean;
  /** One short sentence. */
  readonly text: string;
  /** Why, in a sentence or two. */
  readonly why: string;
}

type Making = (step: StepNumbers, settings: StepSettings) => Omit<StepNote, "topic" | "loud"> | null;

const NOTES: Readonly<Record<StepTopic, Making>> = {
  truncated: everyTruncated,
  "no update": noUpdate,
  updates: updatesMade,
  clip: clipped,
  filter: filtered,
  replay: replayed,
  rethinking: rethought,
  failures: begunAfterFailures,
  overlong,
  masked,
  kl: klTerm,
  stage: stageOfRun,
};

/** The sentences about a step, those that matter most first; none for a step that is not GRPO's. */
export function explainStep(step: StepNumbers, settings: StepSettings): readonly StepNote[] {
  if (step.stage !== "grpo") return [];
  return STEP_TOPICS.flatMap((topic) => {
    const note = NOTES[topic](step, settings);
    return note === null ? [] : [{ topic, loud: topic === "truncated", ...note }];
  });
}

/** Did every response of the step run into the length limit? */
export function isTruncated({ stage, "completions/clipped_ratio": cut }: StepNumbers): boolean {
  return stage === "grpo" && cut === 1;
}

/** What a log says of such a step. */
export const TRUNCATED_WARNING = "Every response was truncated: raise the length limit (maxNewTokens).";

function everyTruncated(step: StepNumbers): ReturnType<Making> {
  if (!isTruncated(step)) return null;
  return {
    text: TRUNCATED_WARNING,
    why:
      "All responses ran into the limit before they ended, so none has a refined answer to reward. Training on them " +
      "teaches nothing about reflecting; with truncated responses masked there is nothing to train on at all.",
  };
}

function noUpdate(step: StepNumbers): ReturnType<Making> {
  if (step.updates !== 0) return null;
  const reason =
    step["filter/kept"] === 0
      ? "the filter kept no group"
      : step.frac_reward_zero_std === 1
        ? "in every group all rewards are equal"
        : "no response is left to train on";
  return {
    text: `Nothing to train on: no update, since ${reason}.`,
    why: "The weights are those before the step: without a gradient, AdamW's momentum alone would move them.",
  };
}

function updatesMade(step: StepNumbers, { grpo }: StepSettings): ReturnType<Making> {
  const { updates } = step;
  if (updates === undefined || updates === 0) return null;
  if (updates === 1 && ratiosMeasured(step))
    return {
      text: "1 update on this rollout: only replayed responses have a ratio.",
      why:
        "For the responses of this step π = π_old. A replayed one was sampled by an earlier policy, whose " +
        "log-probabilities it carries.",
    };
  if (updates === 1)
    return {
      text: "1 update on this rollout: every ratio is 1, so nothing is clipped.",
      why:
        "The policy that is updated is still the one that sampled: π = π_old. Clip, GSPO, CISPO and SAPO differ only " +
        "when several updates are made on one rollout.",
    };
  const planned = grpo.updatesPerRollout * grpo.epochs;
  const passes = grpo.epochs > 1 ? ` (${grpo.epochs} passes)` : "";
  const fewer = updates < planned ? ` of ${planned}` : "";
  return {
    text: `${updates}${fewer} updates on this rollout${passes}.`,
    why:
      "The rollout is split into minibatches, one update each. After the first, the policy is no longer the one that " +
      "sampled, and its ratios leave 1." +
      (fewer === "" ? "" : " A minibatch without a row to train on makes no update."),
  };
}

function clipped(step: StepNumbers, { grpo }: StepSettings): ReturnType<Making> {
  if ((step.updates ?? 0) < 2 && !ratiosMeasured(step)) return null;
  const gate = step["ratio/gate"];
  const moved = movement(step);
  if (gate !== undefined)
    return {
      text: `SAPO's gates let ${percent(gate)} of the slope through${moved}.`,
      why: "A gate is open (100 %) at ratio 1 and closes smoothly as the ratio leaves it; nothing is cut off.",
    };
  const [low, high] = [step["clip_ratio/low_mean"] ?? 0, step["clip_ratio/high_mean"] ?? 0];
  const tokens = grpo.ratioLevel === "sequence" ? "tokens (whole responses)" : "tokens";
  if (grpo.surrogate === "cispo")
    return {
      text: `${percent(low + high)} of the ${tokens} had their ratio capped${moved}.`,
      why:
        "CISPO caps the ratio as a weight: a capped token is still pushed, only not harder than the cap of " +
        `${formatNumber(grpo.cispoHigh)}.`,
    };
  const [above, below] = [formatNumber(1 + grpo.clipHigh), formatNumber(1 - grpo.clipLow)];
  const sides = [
    ...(high > 0 ? [`${percent(high)} of the ${tokens} clipped above ${above}`] : []),
    ...(low > 0 ? [`${percent(low)}${high > 0 ? "" : ` of the ${tokens} clipped`} below ${below}`] : []),
  ];
  return {
    text: `${sides.length === 0 ? "No token was clipped" : sides.join(", ")}${moved}.`,
    why:
      "A token with a good advantage is not pushed beyond the upper bound, one with a bad advantage not below the " +
      "lower. A clipped token has gradient 0.",
  };
}

/** With one update they are where samples of earlier steps are replayed. */
function ratiosMeasured(step: StepNumbers): boolean {
  return step["ratio/max"] !== undefined;
}

/** ; ratios 0.82 to 1.31 */
function movement({ "ratio/min": min, "ratio/max": max }: StepNumbers): string {
  return min === undefined || max === undefined ? "" : `; ratios ${min.toFixed(2)} to ${max.toFixed(2)}`;
}

function filtered(step: StepNumbers): ReturnType<Making> {
  const [drawn, kept, refills = 0] = [step["filter/drawn"], step["filter/kept"], step["filter/refills"]];
  if (drawn === undefined || kept === undefined) return null;
  const again = refills === 0 ? "" : refills === 1 ? " (1 refill)" : ` (${refills} refills)`;
  return {
    text: `Drew ${drawn} groups, kept ${kept}${again}.`,
    why:
      "A group that is all right or all wrong has little to compare. " +
      (refills === 0
        ? "The filter leaves it out of the update; its responses still count in the curves."
        : "The filter leaves it out, and other problems are sampled in its place."),
  };
}

function replayed(step: StepNumbers): ReturnType<Making> {
  const [effective, drawn, buffer] = [step["replay/effective"], step["replay/drawn"], step["replay/buffer"]];
  if (effective === undefined || drawn === undefined) return null;
  const left = buffer === undefined ? "" : `; the buffer holds ${buffer}`;
  return {
    text: `${counted(effective, "response")} with an advantage, ${drawn} more replayed from earlier steps${left}.`,
    why:
      "A response with advantage 0 moves nothing. Earlier responses with large advantages fill the step up, with the " +
      "probabilities that they were sampled with.",
  };
}

function rethought(step: StepNumbers): ReturnType<Making> {
  const [tried, kept] = [step["rethinking/tried"], step["rethinking/kept"]];
  if (tried === undefined || kept === undefined) return null;
  return {
    text: `Made ${counted(tried, "response")} think again; ${kept} came out right and are trained on.`,
    why:
      "A trigger is put after a first solution and the policy continues. Right continuations are imitated, as in " +
      "SFT.",
  };
}

function begunAfterFailures(step: StepNumbers, { grpo }: StepSettings): ReturnType<Making> {
  const [groups, buffer] = [step["failures/groups"], step["failures/buffer"]];
  if (groups === undefined || buffer === undefined) return null;
  const undrawn = grpo.prompts === undefined ? null : undrawnFailures(grpo.failures ?? null, grpo.prompts);
  if (undrawn !== null)
    return {
      text: `No group began after an earlier first solution; the buffer holds ${buffer}.`,
      why: `The setting ${undrawn}`,
    };
  return {
    text: `${counted(groups, "group")} began after an earlier first solution; the buffer holds ${buffer}.`,
    why:
      "Their responses go on from a solution that is already there, most often a wrong one; only what follows is " +
      "trained.",
  };
}

function overlong({ "rewards/overlong": penalty = 0 }: StepNumbers): ReturnType<Making> {
  if (penalty >= 0) return null;
  return {
    text: `Responses near the length limit cost ${formatNumber(-penalty)} of reward on average.`,
    why: "The overlong penalty grows from a margin before the limit up to the limit, so that length has a price.",
  };
}

function masked({ "completions/masked": left = 0 }: StepNumbers): ReturnType<Making> {
  if (left === 0) return null;
  return {
    text: `${counted(left, "truncated response")} left out of the loss.`,
    why: "A response cut at the limit is not wrong, only unfinished; its reward still counts in its group's mean.",
  };
}

function klTerm(step: StepNumbers, { grpo }: StepSettings): ReturnType<Making> {
  const { kl, "rewards/kl": penalty } = step;
  if (kl === undefined)
    return {
      text: "No KL: β is 0.",
      why: "Without a KL term there is no reference policy to stay near, and nothing to measure a distance from.",
    };
  const nats = `${formatNumber(kl)} nats per token`;
  if (penalty !== undefined)
    return {
      text: `KL ${nats} from the starting policy, taken off the rewards: ${formatNumber(penalty)} on average.`,
      why: "β times a response's KL is subtracted from its reward, so it enters the group's mean and the advantages.",
    };
  return {
    text: `KL ${nats} from the starting policy, in the loss with β ${formatNumber(grpo.beta)}.`,
    why: "The KL term pulls each token back towards the policy that GRPO started from.",
  };
}

function stageOfRun({ "stage/number": number }: StepNumbers, { grpo }: StepSettings): ReturnType<Making> {
  if (number === undefined) return null;
  const stage = grpo.stages[number - 1];
  if (stage === undefined) return null;
  const { maxNewTokens, groupSize, beta } = stage;
  const kl = grpo.stages.some((other) => other.beta !== beta) ? `, β ${formatNumber(beta)}` : "";
  return {
    text: `Stage ${number} of ${grpo.stages.length}: up to ${maxNewTokens} tokens, groups of ${groupSize}${kl}.`,
    why: "Short responses first, longer ones later, with smaller groups: the policy first learns to be brief.",
  };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

/** One decimal, so that a few tokens of thousands do not read as none. */
function percent(share: number): string {
  if (share > 0 && share < 0.0005) return "under 0.1 %";
  return `${Number((100 * share).toFixed(1))} %`;
}
