/**
 * Stage 1, reflection SFT: first the data set (the policy's own answers, the teacher's reflections), then steps on it.
 * The loss covers every response token, the prompt none; examples are shuffled anew each epoch; the learning rate
 * is a cosine with warm-up.
 */
import type { EncodedPrompt, FeatureBank } from "../policy/packing";
import type { Policy } from "../policy/policy";
import type { Problem } from "../tasks/problem";
import { bankOf } from "./featureCache";
import type { TrainingRow } from "./microBatch";
import type { DataParallel } from "./parallel";
import { permutation, streamStep } from "./randomStreams";
import type { DataProgress, ReflectionExample } from "./records";
import { emptyProgress, recallExample, responseText, takeExamples } from "./reflectionData";
import { encodeProblem, sampleRows } from "./rollout";
import { cosineWithWarmup } from "./schedule";
import type { Settings } from "./settings";
import type { SessionState } from "./state";
import { responseTokens, textOf } from "./transcript";
import { sftUpdate, type UpdateResult } from "./update";
import { problemOf } from "../tasks/problems";

/** Own answers sampled at a time: enough to fill a device, few enough to watch the data grow. */
const CHUNK = 128;

interface Prepared { readonly prompts: readonly EncodedPrompt[]; readonly tokens: readonly Int32Array[]; readonly features: FeatureBank | null }

export class ReflectionSft {
  #examples: ReflectionExample[];
  #progress: DataProgress;
  #chunks: number;
  #prepared: Prepared | null = null;

  constructor(private readonly policy: Policy, settings: Settings, private readonly parallel: DataParallel | null, from: Pick<SessionState, "examples" | "progress" | "chunks"> | null = null) {
    this.#examples = from?.examples.map(recallExample) ?? [];
    this.#progress = from?.progress ?? emptyProgress(settings.sft.examples);
    this.#chunks = from?.chunks ?? 0;
  }

  get progress(): DataProgress {
    return this.#progress;
  }

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
  async collect(problems: readonly Problem[], settings: Settings): Promise<readonly ReflectionExample[]> {
    const prompts = problems.map((problem) => encodeProblem(this.policy, problem));
    const { temperature, maxNewTokens, seed } = settings;
    const rows = await sampleRows(this.policy, prompts, null, { groupSize: 1, temperature, maxNewTokens, seed, step: streamStep("sft", this.#chunks) }, this.parallel);
    const answers = problems.map((problem, index) => ({ problem, text: textOf(this.policy, rows[index]?.[0]?.tokens ?? []) }));
    const { progress, taken } = takeExamples(this.#progress, answers, this.#chunks * problems.length);
    if (taken.length === 0 && this.#progress.collected === 0 && this.#chunks >= 8) {
      throw new Error(`reflection data: none of ${(this.#chunks + 1) * problems.length} sampled answers could be read; the policy must write "<think> … </think> <answer> … </answer>" before it can be taught to reflect. Start from a policy that has learnt the format, or raise maxNewTokens (now ${maxNewTokens}).`);
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
  update(step: number, updates: number, settings: Settings): Promise<UpdateResult> {
    const prepared = this.prepare(settings);
    return sftUpdate(this.policy, this.batch(prepared, step, settings), {
      temperature: 1, trainVision: !settings.freezeVision, features: prepared.features,
      learningRate: this.learningRate(step, settings), weightDecay: settings.sft.weightDecay, maxGradNorm: settings.maxGradNorm,
      microBatchRows: settings.microBatchRows, updates, beta2: settings.sft.beta2, parallel: this.parallel,
    });
  }

  dispose(): void {
    this.#prepared?.features?.dispose();
    this.#prepared = null;
  }

  /** Examples [step·B, (step+1)·B) of the endless, epoch-wise shuffled stream; token-mean weights. */
  private batch({ prompts, tokens }: Prepared, step: number, settings: Settings): TrainingRow[] {
    const size = this.#examples.length;
    const orders = new Map<number, number[]>();
    const chosen = Array.from({ length: settings.sft.batchSize }, (_, i) => {
      const place = step * settings.sft.batchSize + i;
      const epoch = Math.floor(place / size);
      const order = orders.get(epoch) ?? permutation(size, settings.seed, epoch);
      orders.set(epoch, order);
      return order[place % size] ?? 0;
    });
    const total = chosen.reduce((sum, index) => sum + (tokens[index]?.length ?? 0), 0);
    return chosen.flatMap((index) => {
      const prompt = prompts[index];
      const response = tokens[index];
      return prompt === undefined || response === undefined ? [] : [{ prompt, tokens: response, weight: 1 / total, advantage: 1 }];
    });
  }

  /** Prompts, tokens and image features of the whole data set, once. */
  private prepare(settings: Settings): Prepared {
    if (this.#prepared !== null) return this.#prepared;
    const prompts = this.#examples.map((example) => encodeProblem(this.policy, problemOf(example.problem.id)));
    const tokens = this.#examples.map((example) => responseTokens(this.policy, responseText(example)));
    this.#prepared = { prompts, tokens, features: settings.freezeVision ? bankOf(this.policy, prompts) : null };
    return this.#prepared;
  }
}
