/**
 * A training run: base → reflection SFT → GRPO, in phases. One loop for the page, the worker and the command line:
 *
 *   base  rollout → score → normalise → (nothing is trained)
 *   sft   rollout (one chunk of own answers and the teacher's reflections) until the data set is built, then update
 *   grpo  rollout → score → normalise → update
 *
 * Departs from the paper's pipeline in being re-entrant: every phase ends in a state that `snapshot` can hold and
 * `restore` continues bit for bit on the same backend.
 */
import type { Policy } from "../policy/policy";
import { noLesson } from "../srpo/noLesson";
import { stepReward } from "./adaptiveTiers";
import { configureOpenRun } from "./configure";
import { type EvaluationOptions, evaluate } from "./evaluate";
import { refuseUnknownWords } from "./formWords";
import { GroupStage } from "./groupStage";
import { finiteMetrics, updateMetrics } from "./metrics";
import { StepRefused } from "./optimiserStep";
import type { DataParallel } from "./parallel/parallel";
import type { PhaseResult } from "./phaseResult";
import { type CheckProblem, type ProblemSource, type Taken, taskSource } from "./problemSource";
import { checkPrompt } from "./promptCheck";
import type {
  DataProgress,
  EvaluationRecord,
  GroupRecord,
  Phase,
  ReflectionExample,
  Stage,
  StepMetrics,
} from "./records";
import { storeExample } from "./reflectionData";
import { sampleOnce } from "./sampleOnce";
import type { SessionOptions } from "./sessionOptions";
import type { Settings, SettingsPatch } from "./settings";
import { ReflectionSft } from "./sft";
import type { Snapshot } from "./snapshot";
import type { SessionState } from "./state";
import type { TrainingProblem } from "./trainingProblem";

export class Session {
  #settings: Settings;
  #stage: Stage;
  #step = 0;
  #updates = 0;
  #cursor: Record<Stage, number> = { base: 0, sft: 0, grpo: 0 };
  #samples = 0;
  #refusals = 0;
  #history: StepMetrics[] = [];
  #sft: ReflectionSft;
  readonly #groups: GroupStage;
  readonly #now: () => number;
  readonly #parallel: DataParallel | null;
  readonly #source: ProblemSource;
  readonly #check: CheckProblem = (problem) => checkPrompt(this.policy, problem, this.#settings).tokens;

  /** @throws Error when the policy has no words for the settings' form of reflection or trigger, naming them. */
  constructor(
    readonly policy: Policy,
    settings: Settings,
    private readonly options: SessionOptions = {},
  ) {
    refuseUnknownWords(policy, settings);
    this.#settings = settings;
    this.#stage = options.stage ?? "base";
    this.#parallel = options.parallel ?? null;
    this.#source = options.source ?? taskSource;
    this.#sft = new ReflectionSft(policy, settings, this.#parallel, this.#source);
    this.#now = options.now ?? (() => performance.now());
    this.#groups = new GroupStage(policy, {
      scorer: options.scorer,
      parallel: this.#parallel,
      source: this.#source,
      now: this.#now,
    });
  }

  get stage(): Stage {
    return this.#stage;
  }
  /** Finished steps of this stage. */
  get step(): number {
    return this.#step;
  }
  get settings(): Settings {
    return this.#settings;
  }
  get history(): readonly StepMetrics[] {
    return this.#history;
  }
  /** Group to re-evaluate after each update; null: none, which saves a forward pass. */
  set observedGroup(index: number | null) {
    this.#groups.observed = index;
  }
  get refusals(): number {
    return this.#refusals;
  }
  /** The groups of the step under way, or none. */
  get groups(): readonly GroupRecord[] {
    return this.#groups.groups;
  }
  get dataProgress(): DataProgress {
    return this.#sft.progress;
  }
  get examples(): readonly ReflectionExample[] {
    return this.#sft.examples;
  }
  /** What `phase` will do. */
  get nextPhase(): Phase {
    if (this.#stage === "sft") return this.#sft.complete ? "update" : "rollout";
    return this.#groups.next;
  }

  /** Training uses the new settings from the next step. @throws SettingsError, leaving the settings as they were. */
  configure(patch: SettingsPatch): Settings {
    const next = configureOpenRun(this.#settings, patch);
    refuseUnknownWords(this.policy, next);
    this.#settings = next;
    return next;
  }

  /** Begin a stage with the current weights: step 0, fresh optimiser moments, no step under way. */
  async enter(stage: Stage): Promise<void> {
    this.#groups.forget();
    const { theta } = await this.policy.parameters.state();
    this.policy.parameters.restore({ theta, m: new Float32Array(theta.length), v: new Float32Array(theta.length) });
    this.#stage = stage;
    this.#step = 0;
    this.#updates = 0;
    this.#sft.dispose();
    this.#sft = new ReflectionSft(this.policy, this.#settings, this.#parallel, this.#source);
  }

  /**
   * Do the next phase.
   * @throws StepRefused when something is not finite: weights and counters stay, the step is dropped.
   */
  phase(): Promise<PhaseResult> {
    return this.#stage === "sft" ? this.sftPhase() : this.groupPhase();
  }

  /**
   * Finish the step under way, or do a whole one.
   * @param stop asked between phases; true leaves the step where it is
   */
  async stepThrough(
    onPhase: (result: PhaseResult) => void = () => undefined,
    stop: () => boolean = () => false,
  ): Promise<StepMetrics | null> {
    while (!stop()) {
      const result = await this.phase();
      onPhase(result);
      if (result.kind === "stepped") return result.metrics;
    }
    return null;
  }

  /** Fresh samples of one held-out problem, scored and normalised; nothing is trained. */
  async sample(family: string | null, greedy: boolean): Promise<GroupRecord> {
    const problem = await this.#source.requested(this.#samples, family, this.#settings, this.#check);
    return this.sampleProblem(problem, greedy);
  }

  sampleProblem(problem: TrainingProblem, greedy: boolean): Promise<GroupRecord> {
    return sampleOnce(this.policy, problem, greedy, this.#settings, this.#samples++, {
      parallel: this.#parallel,
      scorer: this.options.scorer,
    });
  }

  /** Accuracies on held-out problems at the run's temperature, or greedily. */
  async evaluate(count: number, options: EvaluationOptions = {}): Promise<EvaluationRecord> {
    const { items, skipped } = await this.#source.heldOut(count, this.#settings, this.#check);
    const evaluation = await evaluate(
      this.policy,
      items,
      this.#settings,
      { step: this.#step, stage: this.#stage },
      { parallel: this.#parallel, ...options },
    );
    return skipped === undefined ? evaluation : { ...evaluation, skipped };
  }

  async snapshot(): Promise<Snapshot> {
    const parameters = await this.policy.parameters.state();
    return { state: this.state(), parameters, reference: this.#groups.reference.theta };
  }

  /** Continue from a snapshot, bit for bit on the same backend. @throws Error when it was taken of another policy. */
  async restore(snapshot: Snapshot): Promise<void> {
    const { state } = snapshot;
    this.policy.parameters.restore(snapshot.parameters);
    this.#settings = state.settings;
    this.#stage = state.stage;
    this.#step = state.step;
    this.#updates = state.updates;
    this.#cursor = { ...state.cursor };
    this.#samples = state.samples;
    this.#refusals = state.refusals;
    this.#history = state.history.map((metrics) => ({ ...metrics }));
    this.#sft.dispose();
    this.#sft = await ReflectionSft.recall(this.policy, state, this.#parallel, this.#source);
    await this.#groups.recall(snapshot.reference, state);
  }

  /** Frees what the session holds on the device; the policy stays its owner's. */
  dispose(): void {
    this.#sft.dispose();
    this.#groups.dispose();
  }

  private state(): SessionState {
    return {
      version: 1,
      stage: this.#stage,
      step: this.#step,
      updates: this.#updates,
      cursor: { ...this.#cursor },
      chunks: this.#sft.chunks,
      passedOver: this.#sft.passedOver,
      samples: this.#samples,
      refusals: this.#refusals,
      settings: this.#settings,
      ...this.#groups.store(),
      examples: this.#sft.examples.map(storeExample),
      progress: this.#sft.progress,
      history: this.#history.map((metrics) => ({ ...metrics })),
    };
  }

  /** Metrics of this stage's finished steps. */
  private stageHistory(): readonly StepMetrics[] {
    return this.#history.slice(this.#history.length - this.#step);
  }

  private async groupPhase(): Promise<PhaseResult> {
    const step = this.#step + 1;
    const { reward } = this.#settings;
    const begins =
      this.#stage === "grpo" ? { ...this.#settings, reward: stepReward(reward, this.stageHistory()) } : this.#settings;
    const at = { stage: this.#stage, step: this.#step, updates: this.#updates };
    const result = await this.refusable(() => this.#groups.phase(at, begins, (count) => this.take(count)));
    if (result.kind === "phase") return { kind: "groups", phase: result.phase, step, groups: this.#groups.groups };
    return this.finish({ step, stage: this.#stage, ...result.metrics }, result.groups, result.updates);
  }

  private async sftPhase(): Promise<PhaseResult> {
    if (!this.#sft.complete) {
      const { items } = await this.take(this.#sft.chunkSize);
      const examples = await this.#sft.collect(items, this.#settings);
      return { kind: "data", progress: this.#sft.progress, examples };
    }
    const began = this.#now();
    const update = await this.refusable(() => this.#sft.update(this.#step, this.#updates, this.#settings));
    const seconds = (this.#now() - began) / 1000;
    return this.finish(
      {
        step: this.#step + 1,
        stage: "sft",
        ...updateMetrics(update),
        ...(update.skipped === null ? {} : { "data/skipped": update.skipped }),
        learning_rate: this.#sft.learningRate(this.#step, this.#settings),
        step_tokens: update.tokens,
        step_time: seconds,
        "time/update": seconds,
      },
      [],
      update.updates,
    );
  }

  /** A phase that may refuse its step: then the step is dropped, and the next one takes other problems. */
  private async refusable<T>(phase: () => Promise<T>): Promise<T> {
    try {
      return await phase();
    } catch (error) {
      if (error instanceof StepRefused) {
        this.#refusals++;
        this.#groups.drop();
      }
      throw error;
    }
  }

  private finish(measured: StepMetrics, groups: readonly GroupRecord[], updates: number): PhaseResult {
    const finite = finiteMetrics(measured);
    const metrics = this.#stage === "base" ? finite : { ...finite, no_lesson: Number(noLesson(finite) !== null) };
    this.#step++;
    this.#updates += updates;
    this.#history.push(metrics);
    return { kind: "stepped", step: this.#step, metrics, groups };
  }

  private async take(count: number): Promise<Taken<TrainingProblem>> {
    const cursor = this.#cursor[this.#stage];
    const taken = await this.#source.training(this.#stage, cursor, count, this.#settings, this.#check);
    this.#cursor[this.#stage] = cursor + taken.items.length + (taken.skipped ?? 0);
    return taken;
  }
}
