/**
 * One step on sampled groups (GRPO, or sampling from the base), as the four phases rollout → score → normalise →
 * update. It keeps the settings it began with: changes made meanwhile wait for the next step.
 */
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import { DisposalScope } from "./disposalScope";
import { bankOf } from "./featureCache";
import type { LargestBatch } from "./largestBatch";
import { microBatches, type TrainingRow, tokenCount } from "./microBatch";
import { normaliseGroups } from "./normalise";
import { lossOptions, trainingRows } from "./objective";
import { responseLogprobs } from "./optimiserStep";
import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import type { GroupRecord, Phase } from "./records";
import type { ReferencePolicy } from "./reference";
import { encodeProblem, lossTemperature, sampleRows } from "./rollout";
import { type Scorer, scoreGroups } from "./score";
import type { Settings } from "./settings";
import type { PendingStep, SampledRow } from "./state";
import type { TrainingProblem } from "./trainingProblem";
import { groupRecord, tokenCounter } from "./transcript";
import { policyUpdate, type UpdateResult } from "./update";

export class GroupStep {
  #next: Exclude<Phase, "rollout"> = "score";
  #groups: readonly GroupRecord[];
  rolloutSeconds = 0;
  seconds = 0;

  private constructor(
    private readonly policy: Policy,
    readonly settings: Settings,
    private readonly rows: readonly (readonly SampledRow[])[],
    private readonly problems: readonly TrainingProblem[],
    private readonly prompts: readonly EncodedPrompt[],
    private readonly features: FeatureBank | null,
  ) {
    this.#groups = problems.map((problem, index) =>
      groupRecord(policy, problem, rows[index] ?? [], settings.rollout.stopStrings),
    );
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
    // Workers that share the prompts compute the features of their own prompts; a bank would make them wait.
    const features = settings.freezeVision && (parallel?.workers ?? 1) === 1 ? bankOf(policy, prompts) : null;
    try {
      const rows = await sampleRows(
        policy,
        prompts,
        features,
        { groupSize: settings.grpo.groupSize, step: stream, settings },
        parallel,
      );
      return new GroupStep(policy, settings, rows, problems, prompts, features);
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
  ): Promise<GroupStep> {
    const problems = await Promise.all(pending.groups.map((group) => source.problemOf(group.problem)));
    const prompts = problems.map((problem) => encodeProblem(policy, problem));
    const features = pending.settings.freezeVision ? bankOf(policy, prompts) : null;
    const step = new GroupStep(
      policy,
      pending.settings,
      pending.groups.map((group) => group.rows),
      problems,
      prompts,
      features,
    );
    if (pending.next !== "score") step.score(scorer);
    if (pending.next === "update") step.normalise();
    step.rolloutSeconds = pending.rolloutSeconds;
    step.seconds = pending.seconds;
    return step;
  }

  /** The phase to do next. */
  get next(): Exclude<Phase, "rollout"> {
    return this.#next;
  }

  get groups(): readonly GroupRecord[] {
    return this.#groups;
  }

  score(scorer: Scorer | undefined): void {
    this.#groups = scoreGroups(this.#groups, this.settings.reward, tokenCounter(this.policy), scorer);
    this.#next = "normalise";
  }

  normalise(): void {
    this.#groups = normaliseGroups(this.#groups, this.settings.grpo);
    this.#next = "update";
  }

  /**
   * Phase update.
   * @param reference the frozen policy of the KL term; null while β = 0
   * @param largest micro-batch of the run's updates
   */
  update(
    updates: number,
    learningRate: number,
    reference: ReferencePolicy | null,
    parallel: DataParallel | null,
    largest: LargestBatch,
  ): Promise<UpdateResult> {
    const { settings } = this;
    const { prompts, groupSize } = settings.grpo;
    const limits = { responses: Math.min(settings.microBatchRows, prompts * groupSize), tokens: settings.maxNewTokens };
    return policyUpdate(this.policy, trainingRows(this.#groups, this.prompts, settings), {
      loss: lossOptions(settings),
      epochs: settings.grpo.epochs,
      reference,
      temperature: lossTemperature(settings.temperature),
      trainVision: !settings.freezeVision,
      features: this.features,
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
    const prompt = this.prompts[index];
    if (group === undefined || prompt === undefined) return;
    const rows: TrainingRow[] = group.samples.map((sample) => ({
      prompt,
      tokens: Int32Array.from(sample.tokenIds),
      weight: 1,
      advantage: 0,
    }));
    const scope = new DisposalScope();
    try {
      const { microBatchRows, maxNewTokens, grpo } = this.settings;
      const limits = { responses: Math.min(microBatchRows, grpo.groupSize), tokens: maxNewTokens };
      const options = {
        temperature: lossTemperature(this.settings.temperature),
        features: this.features,
        largest: { batch: largest, limits },
      };
      const batches = microBatches(rows, microBatchRows);
      const read = await this.policy.backend.read(responseLogprobs(this.policy, batches, options, scope));
      const all = read.flatMap((values, i) => [...values.subarray(0, tokenCount(batches[i] ?? []))]);
      let at = 0;
      const samples = group.samples.map((sample) => {
        const first = at;
        at += sample.tokenIds.length;
        return { ...sample, logprobsAfter: all.slice(first, at) };
      });
      this.#groups = this.#groups.map((other, i) => (i === index ? { ...other, samples } : other));
    } finally {
      scope.dispose();
    }
  }

  store(): PendingStep {
    return {
      next: this.#next,
      settings: this.settings,
      rolloutSeconds: this.rolloutSeconds,
      seconds: this.seconds,
      groups: this.problems.map((problem, index) => ({ problem: problem.id, rows: [...(this.rows[index] ?? [])] })),
    };
  }

  dispose(): void {
    this.features?.dispose();
  }
}
