/** What the mechanisms of a recipe did in a step, as metrics; what a recipe does not have is absent. */
import { stageAt } from "../srpo/thinkingSuppression";
import type { GroupStep } from "./groupStep";
import type { GroupRecord, StepMetrics } from "./records";
import type { Settings } from "./settings";
import type { StepPosition } from "./stepPosition";

type Measured = Omit<StepMetrics, "step" | "stage">;

/** @param buffers after the step */
export function mechanismMetrics(
  step: GroupStep,
  buffers: { readonly replay: readonly unknown[]; readonly failures: readonly unknown[] },
  at: StepPosition,
): Measured {
  const { groups, settings } = step;
  const sampled = groups.filter(({ replayedFrom }) => replayedFrom === undefined);
  return {
    ...rewardKl(sampled, settings),
    ...(step.skipped === null ? {} : { "data/skipped": step.skipped + step.lost }),
    ...filter(step, sampled),
    ...masked(sampled, settings),
    ...rethinking(sampled, settings),
    ...(at.stage === "grpo" ? { ...trainedOn(groups, buffers, settings), ...stageNumber(at, settings) } : {}),
  };
}

/** Mean KL a token where the KL lies in the reward: the penalties are β times a response's sum. */
function rewardKl(groups: readonly GroupRecord[], { grpo }: Settings): Measured {
  const samples = groups.flatMap((group) => group.samples).filter(({ klPenalty }) => klPenalty !== undefined);
  const tokens = samples.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  return tokens === 0
    ? {}
    : { kl: samples.reduce((sum, { klPenalty = 0 }) => sum + klPenalty, 0) / (grpo.beta * tokens) };
}

function filter({ settings, kept, refills }: GroupStep, groups: readonly GroupRecord[]): Measured {
  if (settings.grpo.onlineFilter === null) return {};
  return { "filter/drawn": groups.length, "filter/kept": kept, "filter/refills": refills };
}

function masked(groups: readonly GroupRecord[], { grpo }: Settings): Measured {
  if (!grpo.maskTruncated) return {};
  const truncated = groups.flatMap(({ samples }) => samples).filter(({ finished }) => !finished);
  return { "completions/masked": truncated.length };
}

function rethinking(groups: readonly GroupRecord[], { grpo }: Settings): Measured {
  if (grpo.rethinking === null) return {};
  const tried = groups.flatMap(({ rethought = [] }) => rethought);
  return { "rethinking/tried": tried.length, "rethinking/kept": tried.filter(({ kept }) => kept === true).length };
}

function trainedOn(
  groups: readonly GroupRecord[],
  buffers: { readonly replay: readonly unknown[]; readonly failures: readonly unknown[] },
  { grpo }: Settings,
): Measured {
  const drawn = groups.filter(({ replayedFrom }) => replayedFrom !== undefined).flatMap(({ samples }) => samples);
  const own = groups.filter(({ replayedFrom, filtered }) => replayedFrom === undefined && filtered !== true);
  return {
    ...(grpo.replay === null
      ? {}
      : {
          "replay/effective": own
            .flatMap(({ samples }) => samples)
            .filter(({ advantage = 0, finished }) => advantage !== 0 && !(grpo.maskTruncated && !finished)).length,
          "replay/drawn": drawn.length,
          "replay/buffer": buffers.replay.length,
        }),
    ...(grpo.failures === null
      ? {}
      : {
          "failures/groups": own.filter(({ prefix }) => prefix !== undefined).length,
          "failures/buffer": buffers.failures.length,
        }),
  };
}

/** The stage of a run that has several, counted from 1. */
function stageNumber({ step }: StepPosition, { grpo }: Settings): Measured {
  const at = stageAt(grpo.stages, step);
  return at === null ? {} : { "stage/number": at.index + 1 };
}
