/**
 * Progressive thinking suppression training (Vision-R1, arXiv 2503.06749v4, section 3.3): stages whose longest response
 * grows while the group shrinks, so that a policy that overthinks after its cold start first learns to be brief. The
 * optimiser's moments and counters go on from stage to stage. A stage also has its own KL weight, as MM-Eureka's second
 * stage does.
 */
import type { RecipeStage } from "./recipes/record";

export interface StageAt {
  /** 0-based. */
  readonly index: number;
  readonly stage: RecipeStage;
}

/** The stage of a 0-based step; the last one goes on to the end. Null where there are no stages. */
export function stageAt(stages: readonly RecipeStage[], step: number): StageAt | null {
  let end = 0;
  for (const [index, stage] of stages.entries()) {
    end += stage.steps;
    if (step < end || index === stages.length - 1) return { index, stage };
  }
  return null;
}

/** What a run of `steps` steps has to say of stages that it never reaches; null where it reaches all. */
export function unreachedStages(stages: readonly RecipeStage[], steps: number): string | null {
  let begins = 0;
  for (const [index, stage] of stages.entries()) {
    if (begins >= steps)
      return (
        `stage ${index + 1} of grpo.stages begins after step ${begins}, and the run has ${steps}: it is never ` +
        "reached. Raise grpo.steps, or shorten the stages before it."
      );
    begins += stage.steps;
  }
  return null;
}
