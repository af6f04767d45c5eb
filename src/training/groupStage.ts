/**
 * The stages whose steps are made of sampled groups: the base, which is only looked at, and GRPO. One step at a time,
 * phase by phase; the session (session.ts) counts the steps and keeps their history.
 */
import { visionTokenIn } from "../policy/checkpoint/visionTokens";
import type { Policy } from "../policy/policy";
import { stageAt } from "../srpo/thinkingSuppression";
import { tierMetrics } from "./adaptiveTiers";
import { drawFailures, withFirstSolutions } from "./failureBuffer";
import type { GroupStageOptions } from "./groupStageOptions";
import { GroupStep } from "./groupStep";
import { LargestBatch } from "./largestBatch";
import { mechanismMetrics } from "./mechanismMetrics";
import { groupMetrics, updateMetrics } from "./metrics";
import { settingsObjective } from "./objective";
import type { Taken } from "./problemSource";
import { refillStream, streamStep } from "./randomStreams";
import type { GroupRecord, Phase, StepMetrics } from "./records";
import { Reference, type ReferencePolicy } from "./reference";
import type { GroupStart } from "./sampledGroup";
import { heldThenFalling } from "./schedule";
import type { Settings } from "./settings";
import type { FailureRecord, ReplayEntry, SessionState } from "./state";
import type { StepPosition } from "./stepPosition";
import type { TrainingProblem } from "./trainingProblem";
import { usableOrNull } from "./unusableProblem";
import type { UpdateResult } from "./update";

export type GroupPhaseResult =
  | { readonly kind: "phase"; readonly phase: Phase }
  | {
      readonly kind: "stepped";
      readonly metrics: Omit<StepMetrics, "step" | "stage">;
      readonly groups: readonly GroupRecord[];
      readonly updates: number;
    };

/** Takes the next problems of the stage. */
type TakeProblems = (count: number) => Promise<Taken<TrainingProblem>>;

/** Samples and first solutions of earlier steps. */
interface Buffers {
  readonly replay: readonly ReplayEntry[];
  readonly failures: readonly FailureRecord[];
}

/** KL of the first GRPO step against a copy of the policy must be 0 but for rounding: more means another policy. */
const FIRST_KL_MAX = 1e-4;

export class GroupStage {
  /** Group to re-evaluate after each update; null: none. */
  observed: number | null = null;
  readonly reference: Reference;
  #pending: GroupStep | null = null;
  #buffers: Buffers = { replay: [], failures: [] };
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
   * @throws StepRefused when something in the step is not finite; the caller drops it
   */
  async phase(at: StepPosition, settings: Settings, take: TakeProblems): Promise<GroupPhaseResult> {
    const began = this.options.now();
    const elapsed = (): number => (this.options.now() - began) / 1000;
    const pending = this.#pending;
    if (pending === null) {
      const begun = at.stage === "grpo" ? settingsAt(settings, at.step) : withoutRefills(settings);
      const { starts, left, skipped } = await this.starts(begun, at, take);
      const step = await GroupStep.rollout(
        this.policy,
        starts,
        begun,
        { stream: streamStep(at.stage, at.step), step: at.step, draw: 0 },
        this.options.parallel,
      );
      step.skipped = skipped;
      step.rolloutSeconds = elapsed();
      step.seconds = step.rolloutSeconds;
      this.#buffers = { ...this.#buffers, failures: left };
      this.#pending = step;
      return { kind: "phase", phase: "rollout" };
    }
    const phase = pending.next;
    switch (phase) {
      case "rollout": {
        const { items, skipped } = await take(pending.missing);
        const { refills } = pending;
        const position = { stream: refillStream(at.step, refills), step: at.step, draw: refills + 1 };
        await pending.refill(items, position, this.options.parallel);
        if (skipped !== undefined) pending.skipped = (pending.skipped ?? 0) + skipped;
        pending.rolloutSeconds += elapsed();
        break;
      }
      case "score":
        pending.score(this.options.scorer);
        break;
      case "normalise":
        await this.normalise(pending, at);
        break;
      case "update":
        return this.finish(pending, at, elapsed);
      default:
        return phase satisfies never;
    }
    pending.seconds += elapsed();
    return { kind: "phase", phase };
  }

  /** The step under way and the buffers, as a snapshot keeps them. */
  store(): Pick<SessionState, "pending" | "replay" | "failures"> {
    const { replay, failures } = this.#buffers;
    return { pending: this.#pending?.store() ?? null, replay: [...replay], failures: [...failures] };
  }

  /** Go on from a snapshot. */
  async recall(reference: Float32Array | null, { pending, replay, failures, stage, step, updates }: SessionState) {
    this.drop();
    this.reference.recall(reference);
    // Earlier versions sampled vision tokens too.
    const usable = (tokens: readonly number[]): boolean => visionTokenIn(this.policy.config, tokens) === null;
    this.#buffers = {
      replay: replay.filter(({ prefix, row }) => usable(prefix) && usable(row.tokens)),
      failures: failures.filter(({ tokens }) => usable(tokens)),
    };
    const at = { stage, step, updates };
    const { scorer, source } = this.options;
    this.#pending =
      pending === null
        ? null
        : await GroupStep.recall(this.policy, pending, scorer, source, (step) => this.normalise(step, at));
  }

  /** Give up the step under way. */
  drop(): void {
    this.#pending?.dispose();
    this.#pending = null;
  }

  /** A stage begins: no step under way, no reference, empty buffers. */
  forget(): void {
    this.drop();
    this.#buffers = { replay: [], failures: [] };
    this.reference.forget();
  }

  dispose(): void {
    this.drop();
    this.reference.dispose();
  }

  /**
   * What a step begins with: new problems, and first solutions from the failure buffer where the recipe has one; and
   * what is then left of the buffer. Drawn ones leave it with the rollout, so that a rollout that fails loses none. One
   * whose picture can no longer be read is passed over, and a new problem takes its place.
   */
  private async starts(
    { grpo, seed }: Settings,
    { stage, step }: StepPosition,
    take: TakeProblems,
  ): Promise<{
    readonly starts: GroupStart[];
    readonly left: readonly FailureRecord[];
    readonly skipped: number | null;
  }> {
    const draw =
      stage === "grpo" && grpo.failures !== null
        ? drawFailures(this.#buffers.failures, grpo.failures, grpo.prompts, seed, step)
        : { drawn: [], left: this.#buffers.failures };
    const begun: GroupStart[] = [];
    for (const { problem: id, tokens } of draw.drawn) {
      const problem = await usableOrNull(this.options.source.problemOf(id));
      if (problem !== null) begun.push({ problem, prefix: tokens });
    }
    const { items, skipped } = await take(grpo.prompts - begun.length);
    const lost = draw.drawn.length - begun.length;
    return {
      starts: [...items.map((problem) => ({ problem, prefix: [] })), ...begun],
      left: draw.left,
      skipped: skipped === undefined ? null : skipped + lost,
    };
  }

  private async normalise(pending: GroupStep, { stage, step }: StepPosition): Promise<void> {
    await pending.normalise(await this.rewardReference(pending.settings));
    const { replay } = pending.settings.grpo;
    if (stage === "grpo" && replay !== null) await pending.replay(this.#buffers.replay, replay, step, this.options);
  }

  /** The buffers after a step. */
  private keep(pending: GroupStep, { stage, step }: StepPosition): void {
    const { replay, failures } = pending.settings.grpo;
    if (stage !== "grpo") return;
    const kept = this.#buffers.failures;
    this.#buffers = {
      replay: replay === null ? [] : pending.replayPool,
      failures:
        failures === null ? [] : withFirstSolutions(this.policy, kept, pending.sampled, pending.groups, failures, step),
    };
  }

  private async finish(pending: GroupStep, at: StepPosition, elapsed: () => number): Promise<GroupPhaseResult> {
    const update = at.stage === "grpo" ? await this.update(pending, at) : null;
    const updateSeconds = elapsed();
    if (update !== null && this.observed !== null) await pending.logprobsAfter(this.observed, this.#largest.observed);
    this.keep(pending, at);
    const { groups, settings } = pending;
    const sampled = groupMetrics(groups.filter(({ replayedFrom }) => replayedFrom === undefined));
    const metrics = {
      ...sampled,
      ...tierMetrics(settings.reward),
      ...mechanismMetrics(pending, this.#buffers, at),
      ...(update === null ? {} : { ...updateMetrics(update), learning_rate: learningRate(at, settings) }),
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

  /** The reference of the KL penalty on the rewards; null where the settings have none. */
  private async rewardReference({ grpo }: Settings): Promise<ReferencePolicy | null> {
    if (grpo.klPlacement !== "reward" || grpo.beta === 0) return null;
    await this.reference.ensure();
    return this.reference.now;
  }

  private async update(pending: GroupStep, at: StepPosition): Promise<UpdateResult> {
    const { beta } = settingsObjective(pending.settings);
    const copied = beta > 0 && (await this.reference.ensure());
    const update = await pending.update(
      at.updates,
      learningRate(at, pending.settings),
      beta > 0 ? this.reference.now : null,
      this.options.parallel,
      this.#largest.update,
    );
    if (copied && Math.abs(update.referenceKl ?? 0) > FIRST_KL_MAX) {
      throw new Error(
        `the reference policy is not the policy that GRPO started from: KL ${update.referenceKl} at its first ` +
          "step, expected 0",
      );
    }
    return update;
  }
}

/** Settings of a GRPO step: those of its stage where the run has several (src/srpo/thinkingSuppression.ts). */
export function settingsAt(settings: Settings, step: number): Settings {
  const at = stageAt(settings.grpo.stages, step);
  if (at === null) return settings;
  const { maxNewTokens, groupSize, beta } = at.stage;
  return { ...settings, maxNewTokens, grpo: { ...settings.grpo, groupSize, beta } };
}

/** The base is only looked at: its groups are marked by the filter, and none is drawn in their place. */
function withoutRefills(settings: Settings): Settings {
  return { ...settings, grpo: { ...settings.grpo, refills: 0 } };
}

/** Learning rate of a GRPO step. */
function learningRate({ step }: StepPosition, { grpo }: Settings): number {
  return grpo.learningRate * heldThenFalling(step, grpo.steps, grpo.floor);
}
