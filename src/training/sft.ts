/**
 * Stage 1, reflection SFT: first the data set (the policy's own answers, the teacher's reflections), then steps on it.
 * The loss covers every response token, the prompt none; examples are reshuffled each epoch; the learning rate
 * is a cosine with warm-up.
 */
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import { bankOf } from "./featureCache";
import { LargestBatch } from "./largestBatch";
import type { TrainingRow } from "./microBatch";
import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import { permutation, streamStep } from "./randomStreams";
import type { DataProgress, ReflectionExample } from "./records";
import { emptyProgress, recallExample, responseText, takeExamples } from "./reflectionData";
import { encodeProblem, sampleRows } from "./rollout";
import { cosineWithWarmup } from "./schedule";
import type { Settings } from "./settings";
import type { SessionState, StoredExample } from "./state";
import type { TrainingProblem } from "./trainingProblem";
import { responseTokens, textOf } from "./transcript";
import { sftUpdate, type UpdateResult } from "./update";

/** Own answers sampled at a time: enough to fill a device, few enough to watch the data grow. */
const CHUNK = 128;

/** Examples ready to be trained on, by their index in the data set. */
interface Prepared {
  readonly prompts: ReadonlyMap<number, EncodedPrompt>;
  readonly tokens: ReadonlyMap<number, Int32Array>;
  readonly features: FeatureBank | null;
}

export class ReflectionSft {
  #examples: ReflectionExample[];
  #progress: DataProgress;
  #chunks: number;
  #prepared: Prepared | null = null;
  private readonly largest = new LargestBatch();

  constructor(
    private readonly policy: Policy,
    settings: Settings,
    private readonly parallel: DataParallel | null,
    private readonly source: ProblemSource,
  ) {
    this.#examples = [];
    this.#progress =
      source.reflections === null ? emptyProgress(settings.sft.examples) : givenProgress(source.reflections);
    this.#chunks = 0;
  }

  /** The stage as a snapshot kept it. */
  static async recall(
    policy: Policy,
    { settings, examples, progress, chunks }: Pick<SessionState, "settings" | "examples" | "progress" | "chunks">,
    parallel: DataParallel | null,
    source: ProblemSource,
  ): Promise<ReflectionSft> {
    const sft = new ReflectionSft(policy, settings, parallel, source);
    sft.#examples = await Promise.all(examples.map((example) => recallExample(example, source)));
    if (source.reflections === null) sft.#progress = progress;
    sft.#chunks = chunks;
    return sft;
  }

  get progress(): DataProgress {
    return this.#progress;
  }

  /** The collected examples; none where they were given (`ProblemSource.reflections`). */
  get examples(): readonly ReflectionExample[] {
    return this.#examples;
  }

  /** Chunks of own answers sampled so far. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Is the data set built? */
  get complete(): boolean {
    return this.#progress.collected >= this.#progress.wanted;
  }

  /** How many problems the next chunk takes. */
  get chunkSize(): number {
    return Math.min(CHUNK, 2 * this.#progress.wanted);
  }

  /** Sample one chunk of own answers at the run's temperature and let the teacher write. → the new records */
  async collect(problems: readonly TrainingProblem[], settings: Settings): Promise<readonly ReflectionExample[]> {
    const prompts = problems.map((problem) => encodeProblem(this.policy, problem));
    const rows = await sampleRows(
      this.policy,
      prompts,
      null,
      { groupSize: 1, step: streamStep("sft", this.#chunks), settings },
      this.parallel,
    );
    const answers = problems.map((problem, index) => ({
      problem,
      text: textOf(this.policy, rows[index]?.[0]?.tokens ?? [], settings.rollout.stopStrings),
    }));
    const { progress, taken } = takeExamples(
      this.#progress,
      answers,
      this.#chunks * problems.length,
      settings.reflectionForm.rounds,
    );
    if (taken.length === 0 && this.#progress.collected === 0 && this.#chunks >= 8) {
      throw new Error(
        `reflection data: none of ${(this.#chunks + 1) * problems.length} sampled answers could be read; the ` +
          `policy must write "<think> … </think> <answer> … </answer>" before it can be taught to reflect. Start ` +
          `from a policy that has learnt the format, or raise maxNewTokens (now ${settings.maxNewTokens}).`,
      );
    }
    this.#progress = progress;
    this.#examples = [...this.#examples, ...taken];
    this.#chunks++;
    return taken;
  }

  learningRate(step: number, { sft }: Settings): number {
    return sft.learningRate * cosineWithWarmup(step, sft.steps, sft.warmup);
  }

  /** Step number `step` (0-based) on the finished data set. */
  async update(step: number, updates: number, settings: Settings): Promise<UpdateResult> {
    const chosen = this.chosen(step, settings);
    const given = this.source.reflections;
    const prepared = given === null ? this.prepareAll(settings) : await this.prepareGiven(given, chosen, settings);
    try {
      return await sftUpdate(this.policy, trainingRows(prepared, chosen), {
        temperature: 1,
        trainVision: !settings.freezeVision,
        features: prepared.features,
        learningRate: this.learningRate(step, settings),
        weightDecay: settings.sft.weightDecay,
        maxGradNorm: settings.maxGradNorm,
        microBatchRows: settings.microBatchRows,
        updates,
        beta2: settings.sft.beta2,
        parallel: this.parallel,
        largest: {
          batch: this.largest,
          limits: { responses: Math.min(settings.microBatchRows, settings.sft.batchSize), tokens: longest(prepared) },
        },
      });
    } finally {
      if (given !== null) prepared.features?.dispose();
    }
  }

  dispose(): void {
    this.#prepared?.features?.dispose();
    this.#prepared = null;
  }

  /** Places in the data set of the examples [step·B, (step+1)·B) of the endless, epoch-wise shuffled stream. */
  private chosen(step: number, settings: Settings): number[] {
    const size = this.source.reflections?.length ?? this.#examples.length;
    const orders = new Map<number, number[]>();
    return Array.from({ length: settings.sft.batchSize }, (_, i) => {
      const index = step * settings.sft.batchSize + i;
      const epoch = Math.floor(index / size);
      const order = orders.get(epoch) ?? permutation(size, settings.seed, epoch);
      orders.set(epoch, order);
      return order[index % size] ?? 0;
    });
  }

  /** Prompts, tokens and image features of the whole data set, once. */
  private prepareAll(settings: Settings): Prepared {
    this.#prepared ??= this.prepare(new Map(this.#examples.entries()), settings);
    return this.#prepared;
  }

  /** Those of one batch: given examples may be too many, and their pictures too large, to be held. */
  private async prepareGiven(
    given: readonly StoredExample[],
    chosen: readonly number[],
    settings: Settings,
  ): Promise<Prepared> {
    const examples = new Map<number, ReflectionExample>();
    for (const index of chosen) {
      const stored = given[index];
      if (stored !== undefined && !examples.has(index)) examples.set(index, await recallExample(stored, this.source));
    }
    return this.prepare(examples, settings);
  }

  private prepare(examples: ReadonlyMap<number, ReflectionExample>, settings: Settings): Prepared {
    const prompts = new Map([...examples].map(([index, { problem }]) => [index, encodeProblem(this.policy, problem)]));
    const tokens = new Map(
      [...examples].map(([index, example]) => [
        index,
        responseTokens(this.policy, responseText(example, settings.reflectionForm)),
      ]),
    );
    return { prompts, tokens, features: settings.freezeVision ? bankOf(this.policy, [...prompts.values()]) : null };
  }
}

function longest({ tokens }: Prepared): number {
  return Math.max(0, ...[...tokens.values()].map(({ length }) => length));
}

/** One row an example, with token-mean weights. */
function trainingRows({ prompts, tokens }: Prepared, chosen: readonly number[]): TrainingRow[] {
  const total = chosen.reduce((sum, index) => sum + (tokens.get(index)?.length ?? 0), 0);
  return chosen.flatMap((index) => {
    const prompt = prompts.get(index);
    const response = tokens.get(index);
    return prompt === undefined || response === undefined
      ? []
      : [{ prompt, tokens: response, weight: 1 / total, advantage: 1 }];
  });
}

/** Progress of a data set that is there already. */
function givenProgress(examples: readonly StoredExample[]): DataProgress {
  const right = examples.filter((example) => example.firstRight).length;
  return { collected: examples.length, wanted: examples.length, right, wrong: examples.length - right, discarded: 0 };
}
