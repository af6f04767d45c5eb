/** The work that a library can be given, as plain data: a job crosses a process boundary. */
import { z } from "zod";
import { WEIGHT_FORMATS } from "../tensor/packedWeight";
import { KERNEL_NAMES } from "./kernelWork";

const size = z.int().positive();

/**
 * Sizes of a text decoder of the policy's family; head dimension = hidden / heads, one key/value head per query head,
 * tied embeddings.
 */
export const decoderShapeSchema = z.object({
  vocabulary: size,
  hidden: size,
  intermediate: size,
  layers: size,
  heads: size,
});
export type DecoderShape = z.output<typeof decoderShapeSchema>;

export const jobSchema = z.discriminatedUnion("kind", [
  /**
   * One matrix product over `rows` rows of a layer `inner` → `outer`; `format` (f32 by default) is how we store the
   * weight.
   */
  z.object({
    kind: z.literal("matmul"),
    form: z.enum(["forward", "inputGradient", "weightGradient"]),
    rows: size,
    inner: size,
    outer: size,
    format: z.enum(WEIGHT_FORMATS).optional(),
  }),
  /**
   * Forward, backward, clip and AdamW over `rows` sequences of `length` tokens. We split them into micro-batches over
   * `workers`; a peer takes all rows at once.
   */
  z.object({
    kind: z.literal("train"),
    shape: decoderShapeSchema,
    rows: size,
    length: size,
    microBatchRows: size,
    workers: size,
  }),
  /**
   * `groupSize` responses of exactly `newTokens` tokens to each of `prompts` prompts of `promptLength` tokens, at T =
   * 1.
   */
  z.object({
    kind: z.literal("rollout"),
    shape: decoderShapeSchema,
    prompts: size,
    groupSize: size,
    promptLength: size,
    newTokens: size,
  }),
  /** One call of a kernel at the nano policy's sizes (kernelWork.ts). */
  z.object({ kind: z.literal("kernel"), name: z.enum(KERNEL_NAMES) }),
  /** A sum of `length` terms, one dispatch each; `replayed`: we record it once and replay it. */
  z.object({ kind: z.literal("chain"), length: size, replayed: z.boolean() }),
  /** Copying `bytes` bytes within the device's memory. */
  z.object({ kind: z.literal("copy"), bytes: size }),
  /** A whole GRPO step of a session on a shipped policy: rollout, score, normalise, update. */
  z.object({
    kind: z.literal("grpo"),
    policy: z.string(),
    prompts: size,
    groupSize: size,
    maxNewTokens: size,
    workers: size,
  }),
]);
export type Job = z.output<typeof jobSchema>;
export type JobOf<K extends Job["kind"]> = Extract<Job, { kind: K }>;
