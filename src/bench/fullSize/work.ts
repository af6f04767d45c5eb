/**
 * What is measured on a full-size checkpoint, as plain data: our side reads it in Node, transformers' in Python
 * (peers/transformers/full_size.py), and both return the same figures. Prompts are random ids: a random checkpoint has
 * nothing to say, and every response is exactly as long as requested.
 */
import { z } from "zod";
import { firstSpecialId, type ShapeName } from "../../policy/checkpoint/shapes";
import { LORA_TARGETS } from "../../policy/layers/lora";
import { randomUniform } from "../../tensor/random";

const size = z.int().positive();
const ids = z.array(z.int().nonnegative()).nonempty();

export const fullSizeWorkSchema = z.object({
  /** A Hugging Face folder. */
  folder: z.string(),
  /** Each prompt gets a group of `groupSize` responses. */
  prompts: z.array(ids).nonempty(),
  groupSize: size,
  /** Responses decoded at once in the decode measurement, each a multiple of `groupSize`. */
  batches: z.array(size).nonempty(),
  newTokens: size,
  /** A GRPO step: the first `step.prompts` prompts, responses of `step.newTokens`, trained in micro-batches. */
  step: z.object({ prompts: size, newTokens: size, microBatchRows: size, learningRate: z.number().positive() }),
  lora: z.object({ rank: size, alpha: z.number().positive(), targets: z.array(z.enum(LORA_TARGETS)) }),
  /** A response to the first prompt whose mean log-probability both sides report before any training. */
  checked: ids,
  repetitions: size,
});
export type FullSizeWork = z.output<typeof fullSizeWorkSchema>;

const milliseconds = z.array(z.number().positive()).nonempty();

export const fullSizeFiguresSchema = z.object({
  /** Library versions, number format and device. */
  engine: z.string().min(1),
  /** Mean log-probability of `checked`. */
  check: z.number(),
  /** Prompts and one token, and prompts and `newTokens`: their difference is decoding. */
  decode: z.array(z.object({ batch: size, first: milliseconds, all: milliseconds })),
  step: z.object({ rollout: milliseconds, update: milliseconds }),
  /** Peak bytes; null where that cannot be measured. */
  peakBytes: z.number().positive().nullable(),
});
export type FullSizeFigures = z.output<typeof fullSizeFiguresSchema>;

/** Smaller values for a quick run, or for the tiny shape. */
export interface FullSizeScale {
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly stepTokens: number;
  readonly repetitions: number;
}

export const FULL_SCALE: FullSizeScale = { promptTokens: 256, newTokens: 128, stepTokens: 256, repetitions: 3 };
export const QUICK_SCALE: FullSizeScale = { promptTokens: 24, newTokens: 12, stepTokens: 16, repetitions: 2 };

const GROUP = 8;
const BATCHES = [8, 32];

export function fullSizeWork(
  folder: string,
  shape: ShapeName,
  { promptTokens, newTokens, stepTokens, repetitions }: FullSizeScale,
): FullSizeWork {
  const words = (count: number, stream: number): [number, ...number[]] => {
    const [first = 0, ...rest] = Array.from({ length: count }, (_, i) =>
      Math.floor(randomUniform(3, stream, i, 0) * firstSpecialId(shape)),
    );
    return [first, ...rest];
  };
  const prompts = Array.from({ length: Math.max(...BATCHES) / GROUP }, (_, i) => words(promptTokens, i));
  return fullSizeWorkSchema.parse({
    folder,
    prompts,
    groupSize: GROUP,
    batches: BATCHES,
    newTokens,
    repetitions,
    step: { prompts: 2, newTokens: stepTokens, microBatchRows: 4, learningRate: 1e-5 },
    lora: { rank: 16, alpha: 32, targets: [...LORA_TARGETS] },
    checked: words(stepTokens, 100),
  });
}
