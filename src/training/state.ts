/**
 * Everything a session knows besides the weights, as plain data: what is restored from here continues
 * bit for bit. Randomness is in it as counters (randomStreams.ts), the data cursor as a count of problems
 * taken, problems as ids (src/tasks rebuilds them), and a step under way as the tokens it sampled:
 * scores and advantages are pure functions of these and of the step's frozen settings, so they are recomputed and
 * cannot disagree.
 */
import { z } from "zod";
import { isSection } from "./overlay";
import { STAGES, type StepMetrics } from "./records";
import { settingsSchema } from "./settings";

const count = z.int().nonnegative();
const stageSchema = z.enum(STAGES);

/**
 * Settings of a snapshot. Before `grpo.surrogate` existed, `ratioMax` was a number that every preset but srpo ignored:
 * such a snapshot keeps the ratio clamp that it trained with.
 */
const storedSettingsSchema = z.preprocess((stored) => {
  if (!isSection(stored) || !isSection(stored.grpo) || "surrogate" in stored.grpo) return stored;
  const { preset, ratioMax, onlineFilter } = stored.grpo;
  const band = Array.isArray(onlineFilter) ? onlineFilter.map((end) => Math.min(Math.max(Number(end), 0), 1)) : null;
  const grpo = {
    ...stored.grpo,
    ratioMax: preset === "srpo" ? ratioMax : null,
    // Any two numbers were accepted then; a reversed band kept no group, and nothing was trained.
    onlineFilter: band !== null && (band[0] ?? 0) <= (band[1] ?? 1) ? band : null,
  };
  return { ...stored, grpo };
}, settingsSchema);

/** A number that need not be finite: those of a policy that has diverged are kept as they are. */
const anyNumber = z.custom<number>((value) => typeof value === "number", "expected a number");

/** Before snapshots held numbers that are not finite, they were written as null. */
const measurements = z.preprocess(
  (stored) => (Array.isArray(stored) ? stored.map((value: unknown) => (value === null ? Number.NaN : value)) : stored),
  z.custom<number[]>(
    (value) => Array.isArray(value) && value.every((each) => typeof each === "number"),
    "expected a list of numbers",
  ),
);

/** One sampled response as the rollout left it; arrays are aligned, the end token included if sampled. */
const sampledRowSchema = z.object({
  tokens: z.array(count),
  logprobs: measurements,
  entropies: measurements,
  /** log P of the tokens that could be sampled; absent where it is 0 (rollout.ts). */
  allowed: measurements.exactOptional(),
  finished: z.boolean(),
});
export type SampledRow = z.output<typeof sampledRowSchema>;

/** A response continued after a trigger: its tokens, and where the trigger and what followed it begin. */
const rethoughtRowSchema = sampledRowSchema.extend({ forcedFrom: count, continuedFrom: count });
export type RethoughtRow = z.output<typeof rethoughtRowSchema>;

const storedGroupSchema = z.object({
  problem: z.string(),
  /** Tokens after which its responses begin. */
  prefix: z.array(count).default([]),
  rows: z.array(sampledRowSchema),
  rethought: z.array(rethoughtRowSchema).default([]),
});
export type StoredGroup = z.output<typeof storedGroupSchema>;

/** An effective sample of the episode (selective sample replay), with the step that sampled it. */
const replayEntrySchema = z.object({
  problem: z.string(),
  prefix: z.array(count),
  row: sampledRowSchema,
  advantage: anyNumber,
  step: count,
});
export type ReplayEntry = z.output<typeof replayEntrySchema>;

/** A first solution in the failure buffer. */
const failureRecordSchema = z.object({ problem: z.string(), tokens: z.array(count), right: z.boolean(), step: count });
export type FailureRecord = z.output<typeof failureRecordSchema>;

const pendingStepSchema = z.object({
  /** The phase to do next. */
  next: z.enum(["rollout", "score", "normalise", "update"]),
  /** The settings this step began with; changes wait for the next one. */
  settings: storedSettingsSchema,
  groups: z.array(storedGroupSchema),
  /** Refills so far. */
  refills: count.default(0),
  /** Records passed over when its problems were taken; null: problems made from seeds. */
  skipped: count.nullable().default(null),
  rolloutSeconds: z.number(),
  /** Seconds spent on this step so far. */
  seconds: z.number(),
});
export type PendingStep = z.output<typeof pendingStepSchema>;

const solution = z.object({ think: z.string(), answer: z.string() });
/** A record of the reflection data set, its problem by id. */
export const storedExampleSchema = z.object({
  problem: z.string(),
  strategy: z.enum(["correction", "simplification"]),
  firstRight: z.boolean(),
  firstSolution: solution,
  reflection: z.string(),
  refinedSolution: solution,
  laterRounds: z
    .array(z.object({ reflection: z.string(), solution }))
    .readonly()
    .exactOptional(),
});
export type StoredExample = z.output<typeof storedExampleSchema>;

const progressSchema = z.object({ collected: count, wanted: count, right: count, wrong: count, discarded: count });

const metricsShape = z.object({ step: count, stage: stageSchema }).catchall(anyNumber);
const metricsSchema = z.custom<StepMetrics>(
  (value) => metricsShape.safeParse(value).success,
  "not the metrics of a step",
);

export const sessionStateSchema = z.object({
  version: z.literal(1),
  stage: stageSchema,
  /** Finished steps of this stage. */
  step: count,
  /** Optimiser updates of this stage (AdamW's bias correction counts them). */
  updates: count,
  /** Places of the training stream taken so far, a counter a stage, those passed over included: the data cursor. */
  cursor: z.object({ base: count, sft: count, grpo: count }),
  /** Chunks of own answers collected for stage 1: position in their random stream. */
  chunks: count,
  /** Examples of reflection data made beforehand that stage 1 has passed over. */
  passedOver: count.default(0),
  /** Single problems sampled on request: position in their random stream. */
  samples: count,
  /** Steps refused because something was not finite. */
  refusals: count,
  settings: storedSettingsSchema,
  pending: pendingStepSchema.nullable(),
  /** Buffers of the grpo stage. */
  replay: z.array(replayEntrySchema).default([]),
  failures: z.array(failureRecordSchema).default([]),
  examples: z.array(storedExampleSchema),
  progress: progressSchema,
  history: z.array(metricsSchema),
});
export type SessionState = z.output<typeof sessionStateSchema>;
