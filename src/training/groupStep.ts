/**
 * One step on sampled groups (GRPO, or sampling from the base), as the phases rollout → score → normalise → update;
 * where the filter leaves out groups and the settings allow refills, rollout → score repeat before normalise. It keeps
 * the settings it began with: changes made meanwhile wait for the next step.
 */

import { visionTokenIn } from "../policy/checkpoint/visionTokens";
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import type { ReplayOptions } from "../srpo/sampleReplay";
import { bankOf, featuresOf } from "./featureCache";
import { refuseNonFinite } from "./finiteGroups";
import { filteredGroups, noGroupLeft } from "./groupFilter";
import type { GroupStageOptions } from "./groupStageOptions";
import type { LargestBatch } from "./largestBatch";
import { afterUpdate } from "./logprobsAfter";
import { normaliseGroups } from "./normalise";
import { settingsObjective, trainingMinibatches } from "./objective";
import { StepRefused } from "./optimiserStep";
import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import type { GroupRecord, Phase } from "./records";
import type { ReferencePolicy } from "./reference";
import { drawnEntries, effectiveEntries, episodeEntries, replayedGroups } from "./replay";
import { keptContinuations } from "./rethinking";
import { withKlPenalties } from "./rewardKl";
import { lossTemperature } from "./rollout";
import {
  type DrawPosition,
  type GroupStart,
  promptOf,
  recallGroup,
  type SampledGroup,
  sampleGroups,
  storeGroup,
} from "./sampledGroup";
import { type Scorer, scoreGroups } from "./score";
import type { Settings } from "./settings";
import type { PendingStep, ReplayEntry } from "./state";
import type { TrainingProblem } from "./trainingProblem";
import { groupRecord, tokenCounter } from "./transcript";
import { policyUpdate, type UpdateResult } from "./update";

/** Samples of earlier steps, or of this one, that are trained on once more. */
interface Replayed {
  readonly sampled: SampledGroup;
  readonly record: GroupRecord;
}

export class GroupStep {
  #next: Phase = "score";
  #sampled: readonly SampledGroup[];
  #records: readonly GroupRecord[];
  #replayed: readonly Replayed[] = [];
  #pool: readonly ReplayEntry[] = [];
  #features: FeatureBank | null;
  #refills = 0;
  #lost = 0;
  /** Records passed over when its problems were taken; null: problems made from seeds. */
  skipped: number | null = null;
  rolloutSeconds = 0;
  seconds = 0;

  private constructor(
    private readonly policy: Policy,
    readonly settings: Settings,
    sampled: readonly SampledGroup[],
    features: FeatureBank | null,
  ) {
    this.#sampled = sampled;
    this.#records = sampled.map((group) => this.recordOf(group));
    this.#features = features;
  }

  /** Phase rollout. */
  static async rollout(
    policy: Policy,
    starts: readonly GroupStart[],
    settings: Settings,
    position: DrawPosition,
    parallel: DataParallel | null,
  ): Promise<GroupStep> {
    const prompts = starts.map((start) => promptOf(policy, start));
    const features = featuresOf(policy, prompts, settings, parallel);
    try {
      const sampled = await sampleGroups(policy, starts, prompts, features, settings, position, parallel);
      return new GroupStep(policy, settings, sampled, features);
    } catch (error) {
      features?.dispose();
      throw error;
    }
  }

  /** The step as a snapshot kept it: its tokens, from which scores and advantages follow. */
  static async recall(
    policy: Policy,
    pending: PendingStep,
    scorer: Scorer | undefined,
    source: ProblemSource,
    normalised: (step: GroupStep) => Promise<void>,
  ): Promise<GroupStep> {
    const sampled: SampledGroup[] = [];
    for (const group of pending.groups) sampled.push(await recallGroup(policy, group, source));
    const prompts = sampled.map(({ prompt }) => prompt);
    const features = pending.settings.freezeVision ? bankOf(policy, prompts) : null;
    const step = new GroupStep(policy, pending.settings, sampled, features);
    step.#refills = pending.refills;
    step.skipped = pending.skipped;
    if (pending.next !== "score") step.score(scorer);
    if (pending.next === "update") await normalised(step);
    step.#next = pending.next;
    step.rolloutSeconds = pending.rolloutSeconds;
    step.seconds = pending.seconds;
    return step;
  }

  /** The phase to do next. */
  get next(): Phase {
    return this.#next;
  }

  /** The sampled groups, then the replayed ones. */
  get groups(): readonly GroupRecord[] {
    return [...this.#records, ...this.#replayed.map(({ record }) => record)];
  }

  get sampled(): readonly SampledGroup[] {
    return this.#sampled;
  }

  /** The replay buffer after this step; known from phase normalise on. */
  get replayPool(): readonly ReplayEntry[] {
    return this.#pool;
  }

  get refills(): number {
    return this.#refills;
  }

  /** Drawn samples of earlier steps whose picture can no longer be read; known from phase normalise on. */
  get lost(): number {
    return this.#lost;
  }

  /** Groups that the filter leaves in; known from phase score on. */
  get kept(): number {
    return this.#records.filter(({ filtered }) => filtered !== true).length;
  }

  /** How many more problems the step still needs: 0 but before a refill. */
  get missing(): number {
    const { onlineFilter, refills, prompts } = this.settings.grpo;
    return onlineFilter === null || this.#refills >= refills ? 0 : Math.max(0, prompts - this.kept);
  }

  /** Phase rollout again: further problems in place of groups that the filter left out. */
  async refill(
    problems: readonly TrainingProblem[],
    position: DrawPosition,
    parallel: DataParallel | null,
  ): Promise<void> {
    const starts = problems.map((problem) => ({ problem, prefix: [] }));
    const prompts = starts.map((start) => promptOf(this.policy, start));
    this.holdFeatures([...this.#sampled.map(({ prompt }) => prompt), ...prompts], parallel);
    const sampled = await sampleGroups(this.policy, starts, prompts, this.#features, this.settings, position, parallel);
    this.#sampled = [...this.#sampled, ...sampled];
    this.#records = [...this.#records, ...sampled.map((group) => this.recordOf(group))];
    this.#refills++;
    this.#next = "score";
  }

  score(scorer: Scorer | undefined): void {
    const { grpo } = this.settings;
    // After a refill the earlier groups have their scores.
    const records = this.#records.flatMap((record) =>
      record.samples.some((sample) => sample.score === undefined) ? this.scored([record], scorer) : [record],
    );
    const scored = filteredGroups(records, grpo.onlineFilter);
    this.#records = grpo.rethinking === null ? scored : keptContinuations(scored, grpo.rethinking);
    this.#next = this.missing > 0 ? "rollout" : "normalise";
  }

  /**
   * @param reference of the KL penalty on the rewards; null where the settings have none
   * @throws StepRefused when a log-probability, a reward or an advantage is not finite
   */
  async normalise(reference: ReferencePolicy | null): Promise<void> {
    const { settings } = this;
    const records =
      reference === null
        ? this.#records
        : await withKlPenalties(
            this.#records,
            this.#sampled.map(({ prompt }) => prompt),
            settings,
            reference,
          );
    refuseNonFinite(records);
    const normalised = normaliseGroups(records, { ...settings.grpo, variant: settings.reward.variant });
    refuseNonFinite(normalised);
    this.#records = normalised;
    this.#next = "update";
  }

  /**
   * After `normalise`, where the settings have a replay: fill the step up from the buffer.
   * @param entries the buffer before this step; @param step 0-based
   */
  async replay(
    entries: readonly ReplayEntry[],
    options: ReplayOptions,
    step: number,
    { source, scorer, parallel }: GroupStageOptions,
  ): Promise<void> {
    const { seed, grpo } = this.settings;
    const effective = effectiveEntries(this.#sampled, this.#records, this.settings, step);
    this.#pool = [...episodeEntries(entries, options, step), ...effective];
    const missing = Math.max(0, grpo.prompts * grpo.groupSize - effective.length);
    const drawn = drawnEntries(this.#pool, options, missing, seed, step);
    const { groups, lost } = await replayedGroups(this.policy, drawn, this.#sampled, source);
    this.#lost = lost;
    this.#replayed = groups.map(({ sampled, advantages, step: from }) => {
      const [scored] = this.scored([this.recordOf(sampled)], scorer);
      if (scored === undefined) throw new Error("replay: a group was lost in scoring");
      const samples = scored.samples.map((sample, i) => ({ ...sample, advantage: advantages[i] ?? 0 }));
      return { sampled, record: { ...scored, samples, replayedFrom: from + 1 } };
    });
    if (groups.length > 0) this.holdFeatures(this.prompts, parallel);
  }

  /**
   * Phase update.
   * @param reference the frozen policy of the KL term of the loss; null where there is none
   * @param largest micro-batch of the run's updates
   * @throws StepRefused where every group was filtered out in spite of refills, or the update is not finite
   */
  async update(
    updates: number,
    learningRate: number,
    reference: ReferencePolicy | null,
    parallel: DataParallel | null,
    largest: LargestBatch,
  ): Promise<UpdateResult> {
    const { settings } = this;
    const { prompts, groupSize } = settings.grpo;
    if (this.kept === 0 && settings.grpo.refills > 0)
      throw new StepRefused(noGroupLeft(this.#records, this.#refills, settings.grpo.onlineFilter));
    const limits = { responses: Math.min(settings.microBatchRows, prompts * groupSize), tokens: settings.maxNewTokens };
    const minibatches = trainingMinibatches(this.groups, this.prompts, settings);
    return policyUpdate(this.policy, minibatches, {
      objective: settingsObjective(settings),
      epochs: settings.grpo.epochs,
      old: settings.grpo.replay === null ? "forward" : "rollout",
      reference,
      temperature: lossTemperature(settings.temperature),
      trainVision: !settings.freezeVision,
      features: this.#features,
      learningRate,
      weightDecay: 0,
      maxGradNorm: settings.maxGradNorm,
      microBatchRows: settings.microBatchRows,
      updates,
      parallel,
      largest: { batch: largest, limits },
    });
  }

  /**
   * After the update: the log-probabilities of one group's tokens under the new weights, for the page. One read-back.
   * @param largest micro-batch of the groups that the run asks this of
   */
  async logprobsAfter(index: number, largest: LargestBatch): Promise<void> {
    const group = this.#records[index];
    const sampled = this.#sampled[index];
    if (group === undefined || sampled === undefined) return;
    const after = await afterUpdate(this.policy, group, sampled.prompt, this.#features, this.settings, largest);
    this.#records = this.#records.map((other, i) => (i === index ? after : other));
  }

  store(): PendingStep {
    return {
      next: this.#next,
      settings: this.settings,
      rolloutSeconds: this.rolloutSeconds,
      seconds: this.seconds,
      refills: this.#refills,
      skipped: this.skipped,
      groups: this.#sampled.map(storeGroup),
    };
  }

  dispose(): void {
    this.#features?.dispose();
  }

  /** Of all groups, the replayed ones last. */
  private get prompts(): EncodedPrompt[] {
    return [...this.#sampled, ...this.#replayed.map(({ sampled }) => sampled)].map(({ prompt }) => prompt);
  }

  private holdFeatures(prompts: readonly EncodedPrompt[], parallel: DataParallel | null): void {
    this.#features?.dispose();
    this.#features = null;
    this.#features = featuresOf(this.policy, prompts, this.settings, parallel);
  }

  private recordOf(group: SampledGroup): GroupRecord {
    return groupRecord(this.policy, group, this.settings);
  }

  private scored(records: readonly GroupRecord[], scorer: Scorer | undefined): GroupRecord[] {
    // A snapshot of an earlier version may hold responses with vision tokens, which were sampled then.
    const unusable = (tokens: readonly number[]): string | null => visionTokenIn(this.policy.config, tokens);
    return scoreGroups(records, this.settings, tokenCounter(this.policy), scorer, unusable);
  }
}
