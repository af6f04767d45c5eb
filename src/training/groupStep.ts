/**
 * One step on sampled groups (GRPO, or sampling from the base), as the phases rollout → score → normalise → update;
 * where the filter leaves out groups and the settings allow refills, rollout → score repeat before normalise. It keeps
 * the settings it began with: changes made meanwhile wait for the next step.
 */
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import { bankOf } from "./featureCache";
import { filteredGroups } from "./groupFilter";
import type { LargestBatch } from "./largestBatch";
import { afterUpdate } from "./logprobsAfter";
import { normaliseGroups } from "./normalise";
import { settingsObjective, trainingMinibatches } from "./objective";
import { StepRefused } from "./optimiserStep";
import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import type { GroupRecord, Phase } from "./records";
import type { ReferencePolicy } from "./reference";
import { withKlPenalties } from "./rewardKl";
import { encodeProblem, lossTemperature, sampleRows } from "./rollout";
import { type Scorer, scoreGroups } from "./score";
import type { Settings } from "./settings";
import type { PendingStep, SampledRow } from "./state";
import type { TrainingProblem } from "./trainingProblem";
import { groupRecord, tokenCounter } from "./transcript";
import { policyUpdate, type UpdateResult } from "./update";

/** A problem and the responses sampled for it. */
interface SampledGroup {
  readonly problem: TrainingProblem;
  readonly prompt: EncodedPrompt;
  readonly rows: readonly SampledRow[];
}

export class GroupStep {
  #next: Phase = "score";
  #sampled: readonly SampledGroup[];
  #groups: readonly GroupRecord[];
  #features: FeatureBank | null;
  #refills = 0;
  rolloutSeconds = 0;
  seconds = 0;

  private constructor(
    private readonly policy: Policy,
    readonly settings: Settings,
    sampled: readonly SampledGroup[],
    features: FeatureBank | null,
  ) {
    this.#sampled = sampled;
    this.#groups = sampled.map((group) => this.recordOf(group));
    this.#features = features;
  }

  /** Phase rollout. `stream`: position in the random streams. */
  static async rollout(
    policy: Policy,
    problems: readonly TrainingProblem[],
    settings: Settings,
    stream: number,
    parallel: DataParallel | null,
  ): Promise<GroupStep> {
    const prompts = problems.map((problem) => encodeProblem(policy, problem));
    const features = featuresOf(policy, prompts, settings, parallel);
    try {
      const sampled = await sampleGroups(policy, problems, prompts, features, settings, stream, parallel);
      return new GroupStep(policy, settings, sampled, features);
    } catch (error) {
      features?.dispose();
      throw error;
    }
  }

  /**
   * The step as a snapshot kept it: its tokens, from which scores and advantages follow.
   * @param reference of the KL penalty on the rewards, where the settings have one
   */
  static async recall(
    policy: Policy,
    pending: PendingStep,
    scorer: Scorer | undefined,
    source: ProblemSource,
    reference: () => Promise<ReferencePolicy | null>,
  ): Promise<GroupStep> {
    const sampled: SampledGroup[] = [];
    for (const { problem: id, rows } of pending.groups) {
      const problem = await source.problemOf(id);
      sampled.push({ problem, prompt: encodeProblem(policy, problem), rows });
    }
    const prompts = sampled.map(({ prompt }) => prompt);
    const features = pending.settings.freezeVision ? bankOf(policy, prompts) : null;
    const step = new GroupStep(policy, pending.settings, sampled, features);
    step.#refills = pending.refills;
    if (pending.next !== "score") step.score(scorer);
    if (pending.next === "update") await step.normalise(await reference());
    step.#next = pending.next;
    step.rolloutSeconds = pending.rolloutSeconds;
    step.seconds = pending.seconds;
    return step;
  }

  /** The phase to do next. */
  get next(): Phase {
    return this.#next;
  }

  get groups(): readonly GroupRecord[] {
    return this.#groups;
  }

  get refills(): number {
    return this.#refills;
  }

  /** Groups that the filter leaves in; known from phase score on. */
  get kept(): number {
    return this.#groups.filter(({ filtered }) => filtered !== true).length;
  }

  /** How many more problems the step still needs: 0 but before a refill. */
  get missing(): number {
    const { onlineFilter, refills, prompts } = this.settings.grpo;
    return onlineFilter === null || this.#refills >= refills ? 0 : Math.max(0, prompts - this.kept);
  }

  /** Phase rollout again: further problems in place of groups that the filter left out. */
  async refill(problems: readonly TrainingProblem[], stream: number, parallel: DataParallel | null): Promise<void> {
    const prompts = problems.map((problem) => encodeProblem(this.policy, problem));
    const all = [...this.#sampled.map(({ prompt }) => prompt), ...prompts];
    this.#features?.dispose();
    this.#features = featuresOf(this.policy, all, this.settings, parallel);
    const sampled = await sampleGroups(this.policy, problems, prompts, this.#features, this.settings, stream, parallel);
    this.#sampled = [...this.#sampled, ...sampled];
    this.#groups = [...this.#groups, ...sampled.map((group) => this.recordOf(group))];
    this.#refills++;
    this.#next = "score";
  }

  score(scorer: Scorer | undefined): void {
    const { reward, grpo } = this.settings;
    const scored = scoreGroups(this.#groups, reward, tokenCounter(this.policy), scorer);
    this.#groups = filteredGroups(scored, grpo.onlineFilter);
    this.#next = this.missing > 0 ? "rollout" : "normalise";
  }

  /** @param reference of the KL penalty on the rewards; null where the settings have none */
  async normalise(reference: ReferencePolicy | null): Promise<void> {
    const groups =
      reference === null
        ? this.#groups
        : await withKlPenalties(
            this.#groups,
            this.#sampled.map(({ prompt }) => prompt),
            this.settings,
            reference,
          );
    this.#groups = normaliseGroups(groups, { ...this.settings.grpo, variant: this.settings.reward.variant });
    this.#next = "update";
  }

  /**
   * Phase update.
   * @param reference the frozen policy of the KL term of the loss; null where there is none
   * @param largest micro-batch of the run's updates
   * @throws StepRefused where every group was filtered out in spite of refills
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
    this.refuseWithoutGroups();
    const limits = { responses: Math.min(settings.microBatchRows, prompts * groupSize), tokens: settings.maxNewTokens };
    const minibatches = trainingMinibatches(
      this.#groups,
      this.#sampled.map(({ prompt }) => prompt),
      settings,
    );
    return policyUpdate(this.policy, minibatches, {
      objective: settingsObjective(settings),
      epochs: settings.grpo.epochs,
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
    const group = this.#groups[index];
    const sampled = this.#sampled[index];
    if (group === undefined || sampled === undefined) return;
    const after = await afterUpdate(this.policy, group, sampled.prompt, this.#features, this.settings, largest);
    this.#groups = this.#groups.map((other, i) => (i === index ? after : other));
  }

  store(): PendingStep {
    return {
      next: this.#next,
      settings: this.settings,
      rolloutSeconds: this.rolloutSeconds,
      seconds: this.seconds,
      refills: this.#refills,
      groups: this.#sampled.map(({ problem, rows }) => ({ problem: problem.id, rows: [...rows] })),
    };
  }

  dispose(): void {
    this.#features?.dispose();
  }

  private recordOf({ problem, rows }: SampledGroup): GroupRecord {
    return groupRecord(this.policy, problem, rows, this.settings.rollout.stopStrings);
  }

  private refuseWithoutGroups(): void {
    const { refills, onlineFilter } = this.settings.grpo;
    if (refills === 0 || this.kept > 0) return;
    const filter = onlineFilter === "mixed" ? "mixed groups only" : `accuracy ${onlineFilter?.join("–") ?? "any"}`;
    throw new StepRefused(
      `the step was refused: none of ${this.#groups.length} groups passed the filter (${filter}) in ` +
        `1 + ${this.#refills} draws. The problems are too easy or too hard for this policy: widen ` +
        "grpo.onlineFilter, raise grpo.groupSize, or take other problems. The weights are those before it.",
    );
  }
}

/**
 * Workers that share the prompts compute the features of their own prompts; a bank would make them wait. Null then, and
 * where the tower is trained.
 */
function featuresOf(
  policy: Policy,
  prompts: readonly EncodedPrompt[],
  settings: Settings,
  parallel: DataParallel | null,
): FeatureBank | null {
  return settings.freezeVision && (parallel?.workers ?? 1) === 1 ? bankOf(policy, prompts) : null;
}

async function sampleGroups(
  policy: Policy,
  problems: readonly TrainingProblem[],
  prompts: readonly EncodedPrompt[],
  features: FeatureBank | null,
  settings: Settings,
  stream: number,
  parallel: DataParallel | null,
): Promise<SampledGroup[]> {
  const options = { groupSize: settings.grpo.groupSize, step: stream, settings };
  const rows = await sampleRows(policy, prompts, features, options, parallel);
  return problems.flatMap((problem, i) => {
    const prompt = prompts[i];
    return prompt === undefined ? [] : [{ problem, prompt, rows: rows[i] ?? [] }];
  });
}
