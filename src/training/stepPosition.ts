import type { Stage } from "./records";

/** Where in its stage a step stands: finished steps and optimiser updates before it. */
export interface StepPosition {
  readonly stage: Stage;
  readonly step: number;
  readonly updates: number;
}
