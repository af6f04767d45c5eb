/**
 * Who takes part in a benchmark, and what is asked of them. A *library* is a library on one backend (ours, stock
 * TensorFlow.js, jax-js); given a *job* it becomes a contender that does units of that work. Libraries know no clock
 * but their own and nothing of each other: interleaving and comparing is comparison.ts' business.
 */
import { z } from "zod";
import type { BackendName } from "../tensor/backend";
import { WEIGHT_FORMATS } from "../tensor/packedWeight";
import { KERNEL_NAMES } from "./kernelWork";
import type { Counts } from "./results";

export const LIBRARIES = ["ours", "tfjs", "jax-js"] as const;
export type LibraryName = (typeof LIBRARIES)[number];

const size = z.int().positive();

/**
 * Sizes of a text decoder of the policy's family; head dimension = hidden / heads, one key/value head a query head,
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

/** Work that can be asked of a library, as plain data: it crosses a process border. */
export const jobSchema = z.discriminatedUnion("kind", [
  /**
   * One matrix product over `rows` rows of a layer `inner` → `outer`; `format` (f32 by default) is how ours keeps the
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
   * Forward, backward, clip and AdamW over `rows` sequences of `length` tokens. Ours deals micro-batches to `workers`;
   * a peer takes all rows at once.
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
  /** A sum of `length` terms, a dispatch each; `replayed`: recorded once by us, and replayed. */
  z.object({ kind: z.literal("chain"), length: size, replayed: z.boolean() }),
  /** Copying so many bytes from one place of the device's memory to another. */
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

/** Some units of work, measured by whoever did them. */
export interface Run {
  /** Until results could be used. */
  readonly milliseconds: number;
  /** Until the calling thread was free again, where that is another time. */
  readonly hostMilliseconds: number | null;
  /** Of all units together, but for `bytesHeld`. */
  readonly counts: Counts;
}

export interface Contender {
  /** Numbers by which contenders are seen to do the same work. Asked once, before any run. */
  check(): Promise<readonly number[]>;
  run(units: number): Promise<Run>;
  close(): Promise<void>;
}

export interface Library {
  readonly name: LibraryName;
  /** e.g. "lavapipe (CPU)", "SIMD, 1 thread". */
  readonly adapter: string;
  /** What its adapter offers to matmuls, in sentences. */
  readonly notes: readonly string[];
  /** @throws Error when this library cannot do the job */
  open(job: Job): Promise<Contender>;
  close(): Promise<void>;
}

/**
 * The library in this process. Loaded when asked for: TensorFlow.js and jax-js never meet in one process of a
 * benchmark.
 */
export async function openLibrary(name: LibraryName, backend: BackendName): Promise<Library> {
  switch (name) {
    case "ours":
      return (await import("./ours/library")).openOurs(backend);
    case "tfjs":
      return (await import("./peers/tfjs/library")).openTfjs(backend);
    case "jax-js":
      return (await import("./peers/jax/library")).openJax(backend);
    default:
      return name satisfies never;
  }
}
