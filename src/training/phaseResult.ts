import type { DataProgress, GroupRecord, Phase, ReflectionExample, StepMetrics } from "./records";

/** What one phase made. `step` counts from 1 and names the step the phase belongs to. */
export type PhaseResult =
  | { readonly kind: "groups"; readonly phase: Phase; readonly step: number; readonly groups: readonly GroupRecord[] }
  | { readonly kind: "data"; readonly progress: DataProgress; readonly examples: readonly ReflectionExample[] }
  | {
      readonly kind: "stepped";
      readonly step: number;
      readonly metrics: StepMetrics;
      readonly groups: readonly GroupRecord[];
    };
