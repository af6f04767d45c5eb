/**
 * The stages whose steps are made of sampled groups: the base, which is only looked at, and GRPO. One step at a time,
 * phase by phase; the session (session.ts) counts the steps and keeps their history.
 */
import type { Policy } from "../policy/policy";
import { GroupStep } from "./groupStep";
import { LargestBatch } from "./largestBatch";
import { groupMetrics, updateMetrics } from "./metrics";
import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import { streamStep } from "./randomStreams";
import type { GroupRecord, Phase, Stage, StepMetrics } from "./records";
import { Reference } from "./reference";
import { heldThenFalling } from "./schedule";
import type { Scorer } from "./score";
import type { Settings } from "./settings";
import type { PendingStep } from "./state";
import type { TrainingProblem } from "./trainingProblem";
import type { UpdateResult } from "./update";

/** Where in its stage a step stands: finished steps and optimiser updates before it. */
export interface StepPosition {
  readonly stage: Stage;
  readonly step: number;
  readonly updates: number;
}

export type GroupPhaseResult =
  | { readonly kind: "phase"; readonly phase: Phase }
  | {
      readonly kind: "stepped";
      readonly metrics: Omit<StepMetrics, "step" | "stage">;
      readonly groups: readonly GroupRecord[];
      readonly updates: number;
    };

interface GroupStageOptions {
  readonly scorer: Scorer | undefined;
  readonly parallel: DataParallel | null;
  readonly source: ProblemSource;
  /** Milliseconds. */
  readonly now: () => number;
}

/** KL of the first GRPO step against a copy of the policy must be 0 but for rounding: more means another policy. */
const FIRST_KL_MAX = 1e-4;

export class GroupStage {
  /** Group to re-evaluate after each update; null: none. */
  observed: number | null = null;
  readonly reference: Reference;
  #pending: GroupStep | null = null;
  readonly #largest = { update: new LargestBatch(), observed: new LargestBatch() };

  constructor(
    private readonly policy: Policy,
    private readonly options: GroupStageOptions,
  ) {
    this.reference = new Reference(policy);
  }

  /** The groups of the step under way, or none. */
  get groups(): readonly GroupRecord[] {
    return this.#pending?.groups ?? [];
  }

  /** The phase to do next. */
  get next(): Phase {
    return this.#pending?.next ?? "rollout";
  }

  /**
   * Do the next phase; a step begins with `settings` and keeps them.
   * @param take the next problems of the stage
   * @param refusable runs the update and counts a refusal
   */
  async phase(
    at: StepPosition,
    settings: Settings,
    take: (count: number) => Promise<readonly TrainingProblem[]>,
    refusable: (update: () => Promise<UpdateResult>) => Promise<UpdateResult>,
  ): Promise<GroupPhaseResult> {
    const began = this.options.now();
    const elapsed = (): number => (this.options.now() - began) / 1000;
    const pending = this.#pending;
    if (pending === null) {
      const step = await GroupStep.rollout(
        this.policy,
        await take(settings.grpo.prompts),
        settings,
        streamStep(at.stage, at.step),
        this.options.parallel,
      );
      step.rolloutSeconds = elapsed();
      step.seconds = step.rolloutSeconds;
      this.#pending = step;
      return { kind: "phase", phase: "rollout" };
    }
    const phase = pending.next;
    switch (phase) {
      case "score":
        pending.score(this.options.scorer);
        break;
      case "normalise":
        pending.normalise();
        break;
      case "update":
        return this.finish(pending, at, elapsed, refusable);
      default:
        return phase satisfies never;
    }
    pending.seconds += elapsed();
    return { kind: "phase", phase };
  }

  /** The step under way as a snapshot keeps it. */
  store(): PendingStep | null {
    return this.#pending?.store() ?? null;
  }

  /** Go on from a snapshot. */
  async recall(reference: Float32Array | null, pending: PendingStep | null): Promise<void> {
    this.drop();
    this.reference.recall(reference);
    const { scorer, source } = this.options;
    this.#pending = pending === null ? null : await GroupStep.recall(this.policy, pending, scorer, source);
  }

  /** Give up the step under way. */
  drop(): void {
    this.#pending?.dispose();
    this.#pending = null;
  }

  /** A stage begins: no step under way, no reference. */
  forget(): void {
    this.drop();
    this.reference.forget();
  }

  dispose(): void {
    this.drop();
    this.reference.dispose();
  }

  private async finish(
    pending: GroupStep,
    at: StepPosition,
    elapsed: () => number,
    refusable: (update: () => Promise<UpdateResult>) => Promise<UpdateResult>,
  ): Promise<GroupPhaseResult> {
    const update = at.stage === "grpo" ? await refusable(() => this.update(pending, at)) : null;
    const updateSeconds = elapsed();
    if (update !== null && this.observed !== null) await pending.logprobsAfter(this.observed, this.#largest.observed);
    const { groups, settings } = pending;
    const sampled = groupMetrics(groups);
    const metrics = {
      ...sampled,
      ...(update === null
        ? {}
        : {
            ...updateMetrics(update),
            learning_rate: learningRate(at, settings),
            kl: update.referenceKl,
            ...(update.samplerKl === null ? {} : { "kl/sampler": update.samplerKl }),
          }),
      step_time: pending.seconds + elapsed(),
      "time/rollout": pending.rolloutSeconds,
      "time/update": updateSeconds,
      ...(pending.rolloutSeconds > 0
        ? { "time/rollout_tokens_per_second": (sampled.step_tokens ?? 0) / pending.rolloutSeconds }
        : {}),
    };
    this.drop();
    return { kind: "stepped", metrics, groups, updates: update?.updates ?? 0 };
  }

  private async update(pending: GroupStep, at: StepPosition): Promise<UpdateResult> {
    const { beta } = pending.settings.grpo;
    const copied = beta > 0 && (await this.reference.ensure());
    const update = await pending.update(
      at.updates,
      learningRate(at, pending.settings),
      beta > 0 ? this.reference.now : null,
      this.options.parallel,
      this.#largest.update,
    );
    if (copied && Math.abs(update.referenceKl) > FIRST_KL_MAX) {
      throw new Error(
        `the reference policy is not the policy that GRPO started from: KL ${update.referenceKl} at its first ` +
          "step, expected 0",
      );
    }
    return update;
  }
}

/** Learning rate of a GRPO step. */
function learningRate({ step }: StepPosition, { grpo }: Settings): number {
  return grpo.learningRate * heldThenFalling(step, grpo.steps, grpo.floor);
}
