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
import type { GivenReflections, ProblemSource } from "./problemSource";
import { checkExample } from "./promptCheck";
import { shuffledStream, streamStep } from "./randomStreams";
import type { DataProgress, ReflectionExample } from "./records";
import { emptyProgress, recallExample, responseText, takeExamples } from "./reflectionData";
import { encodeProblem, sampleRows } from "./rollout";
import { cosineWithWarmup } from "./schedule";
import type { Settings } from "./settings";
import type { SessionState } from "./state";
import type { TrainingProblem } from "./trainingProblem";
import { responseTokens, textOf } from "./transcript";
import { sftUpdate, type UpdateResult } from "./update";

/** Own answers sampled at a time: enough to fill a device, few enough to watch the data grow. */
const CHUNK = 128;

/** Examples ready to be trained on. */
interface Prepared {
  readonly prompts: ReadonlyMap<ReflectionExample, EncodedPrompt>;
  readonly tokens: ReadonlyMap<ReflectionExample, Int32Array>;
  readonly features: FeatureBank | null;
}

/** An update, and the records passed over for it; null where the session collects its own examples. */
export type SftUpdate = UpdateResult & { readonly skipped: number | null };

export class ReflectionSft {
  #examples: ReflectionExample[];
  #progress: DataProgress;
  #chunks: number;
  #passedOver = 0;
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
    {
      settings,
      examples,
      progress,
      chunks,
      passedOver,
    }: Pick<SessionState, "settings" | "examples" | "progress" | "chunks" | "passedOver">,
    parallel: DataParallel | null,
    source: ProblemSource,
  ): Promise<ReflectionSft> {
    const sft = new ReflectionSft(policy, settings, parallel, source);
    sft.#examples = await Promise.all(examples.map((example) => recallExample(example, source)));
    if (source.reflections === null) sft.#progress = progress;
    sft.#chunks = chunks;
    sft.#passedOver = passedOver;
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

  /** Given examples passed over so far: the batches after them begin as many places later. */
  get passedOver(): number {
    return this.#passedOver;
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
  async update(step: number, updates: number, settings: Settings): Promise<SftUpdate> {
    const given = this.source.reflections;
    const { batchSize } = settings.sft;
    const taken = await given?.take(step * batchSize + this.#passedOver, batchSize, settings, (example) => {
      return checkExample(this.policy, example, settings).tokens;
    });
    const chosen = taken?.items ?? this.chosen(step, settings);
    // Given examples may be too many, and their pictures too large, to be held.
    const prepared = taken === undefined ? this.prepareAll(settings) : this.prepare(new Set(chosen), settings);
    try {
      const update = await sftUpdate(this.policy, trainingRows(prepared, chosen), {
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
          limits: { responses: Math.min(settings.microBatchRows, batchSize), tokens: longest(prepared) },
        },
      });
      // A refused update is tried again on the same batch.
      this.#passedOver += taken?.skipped ?? 0;
      return { ...update, skipped: taken?.skipped ?? null };
    } finally {
      if (given !== null) prepared.features?.dispose();
    }
  }

  dispose(): void {
    this.#prepared?.features?.dispose();
    this.#prepared = null;
  }

  /** The collected examples [step·B, (step+1)·B) of the endless, epoch-wise shuffled stream. */
  private chosen(step: number, settings: Settings): ReflectionExample[] {
    const { batchSize } = settings.sft;
    const placeAt = shuffledStream(this.#examples.length, settings.seed);
    return Array.from({ length: batchSize }, (_, i) => this.#examples[placeAt(step * batchSize + i)]).filter(
      (example) => example !== undefined,
    );
  }

  /** Prompts, tokens and image features of the whole data set, once. */
  private prepareAll(settings: Settings): Prepared {
    this.#prepared ??= this.prepare(new Set(this.#examples), settings);
    return this.#prepared;
  }

  private prepare(examples: ReadonlySet<ReflectionExample>, settings: Settings): Prepared {
    const prompts = new Map([...examples].map((example) => [example, encodeProblem(this.policy, example.problem)]));
    const tokens = new Map(
      [...examples].map((example) => [
        example,
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
function trainingRows({ prompts, tokens }: Prepared, chosen: readonly ReflectionExample[]): TrainingRow[] {
  const total = chosen.reduce((sum, example) => sum + (tokens.get(example)?.length ?? 0), 0);
  return chosen.flatMap((example) => {
    const prompt = prompts.get(example);
    const response = tokens.get(example);
    return prompt === undefined || response === undefined
      ? []
      : [{ prompt, tokens: response, weight: 1 / total, advantage: 1 }];
  });
}

/** Progress of a data set that is there already. */
function givenProgress({ right, wrong }: GivenReflections): DataProgress {
  return { collected: right + wrong, wanted: right + wrong, right, wrong, discarded: 0 };
}
