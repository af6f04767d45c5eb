/**
 * Trains the base: next-token training on the corpus of first solutions (src/tasks/corpus.ts), tower and decoder
 * together, in two phases. **clean** teaches the policy to see; **noisy** teaches it to write carelessly what it
 * sees well. What comes out answers right less than half of the time at T = 1, and almost always greedily: the
 * base on which reflection has something to repair. No reflection is shown to it.
 *
 * Loss: mean negative log-likelihood of the response tokens. Learning rate: warm-up, plateau, linear decay over the
 * last part of the clean phase; then a lower rate that falls again over the second half of the noisy phase.
 */
import type { Policy } from "../policy/policy";
import { type CorpusPhase, corpusExample, DEFAULT_CORPUS } from "../tasks/corpus";
import { FAMILY_NAMES, type FamilyName } from "../tasks/problem";
import type { TrainingRow } from "./microBatch";
import type { DataParallel } from "./parallel/parallel";
import { encodeProblem } from "./rollout";
import { responseTokens } from "./transcript";
import { sftUpdate, type UpdateResult } from "./update";

export interface PretrainingOptions {
  readonly seed: number;
  readonly cleanSteps: number;
  /**
   * Turns of the families in the clean phase, each from a step on (the last that applies holds): families
   * that are learnt yield turns to the others.
   */
  readonly turns: readonly { readonly from: number; readonly families: readonly FamilyName[] }[];
  readonly noisySteps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** AdamW's second decay rate: gradients change too fast while the tower learns to see for torch's 0.999. */
  readonly beta2: number;
  /** Steps of linear warm-up. */
  readonly warmup: number;
  /** Share of the clean phase over which the rate falls to `floor` of itself. */
  readonly decayShare: number;
  readonly floor: number;
  /** Rate of the noisy phase's first half, as a share of `learningRate`. */
  readonly noisyShare: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly microBatchRows: number;
}

/** The shipped base is made with these. */
export const DEFAULT_PRETRAINING: PretrainingOptions = {
  seed: 0,
  cleanSteps: 1600,
  noisySteps: 200,
  turns: [
    { from: 0, families: FAMILY_NAMES },
    { from: 300, families: ["bars", "shapes", "bars", "shapes", "geometry", "bars", "shapes", "digits"] },
    { from: 400, families: ["bars", "shapes", "shapes", "geometry", "shapes", "shapes", "digits", "shapes"] },
  ],
  batchSize: 64,
  learningRate: 1e-3,
  beta2: 0.95,
  warmup: 100,
  decayShare: 0.2,
  floor: 0.2,
  noisyShare: 0.5,
  weightDecay: 0.01,
  maxGradNorm: 1,
  microBatchRows: 32,
};

/** Phase of a 0-based step, counted over both phases. */
export function phaseOf(step: number, options: PretrainingOptions): CorpusPhase {
  return step < options.cleanSteps ? "clean" : "noisy";
}

export function pretrainingRate(step: number, options: PretrainingOptions): number {
  const { learningRate, cleanSteps, noisySteps, decayShare, floor, warmup, noisyShare } = options;
  if (step >= cleanSteps)
    return (
      learningRate * noisyShare * Math.min(1, Math.max(floor, (2 * (cleanSteps + noisySteps - step)) / noisySteps))
    );
  const rest = (cleanSteps - step) / (decayShare * cleanSteps);
  return learningRate * Math.min(1, (step + 1) / warmup) * Math.min(1, Math.max(floor, rest));
}

/**
 * Step number `step` (0-based, over both phases): a pure function of the policy's state, the options and the step.
 * @throws StepRefused
 */
export async function pretrainingStep(
  policy: Policy,
  step: number,
  options: PretrainingOptions,
  parallel: DataParallel | null = null,
): Promise<UpdateResult & { readonly learningRate: number; readonly phase: CorpusPhase }> {
  const phase = phaseOf(step, options);
  const first = (phase === "clean" ? step : step - options.cleanSteps) * options.batchSize;
  const families = phase === "clean" ? options.turns.findLast(({ from }) => from <= step)?.families : undefined;
  const corpus = { ...DEFAULT_CORPUS, families: families ?? FAMILY_NAMES };
  const examples = Array.from({ length: options.batchSize }, (_, i) => {
    const { problem, response } = corpusExample(phase, options.seed, first + i, corpus);
    return { prompt: encodeProblem(policy, problem), tokens: responseTokens(policy, response) };
  });
  const total = examples.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const rows: TrainingRow[] = examples.map((example) => ({ ...example, weight: 1 / total, advantage: 1 }));
  const learningRate = pretrainingRate(step, options);
  const result = await sftUpdate(policy, rows, {
    temperature: 1,
    trainVision: true,
    features: null,
    learningRate,
    weightDecay: options.weightDecay,
    maxGradNorm: options.maxGradNorm,
    microBatchRows: options.microBatchRows,
    updates: step,
    beta2: options.beta2,
    parallel,
  });
  return { ...result, learningRate, phase };
}
