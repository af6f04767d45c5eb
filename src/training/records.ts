/**
 * What a session reports after each phase: plain data, structured-clonable, no tensors.
 * The page, the JSONL log and the tests read the same records.
 */

import type { ResponseFacts } from "../srpo/facts";
import type { AnswerKind } from "../srpo/grader/grader";
import type { GradeReasons, ScoredRound } from "../srpo/score";
import type { GroupAdvantages, RewardTerms, Segment, TierFactors, Transition } from "../srpo/types";
import type { Picture } from "../tasks/problem";

export const STAGES = ["base", "sft", "grpo"] as const;
export type Stage = (typeof STAGES)[number];
/** Stages that train, in order. */
export const TRAINED_STAGES = ["sft", "grpo"] as const;
export type TrainedStage = (typeof TRAINED_STAGES)[number];
/** The four phases of one GRPO step, in order. An SFT step has `data` (collect and write reflections) and `update`. */
export type Phase = "rollout" | "score" | "normalise" | "update";

export interface ProblemRecord {
  readonly id: string;
  /** Family of a task, or category of a data set. */
  readonly family: string;
  readonly picture: Picture;
  /** Size of the picture that the policy sees, where `picture` is a smaller preview of it. */
  readonly fullSize?: { readonly width: number; readonly height: number };
  /** Pictures after the first, where there are several. */
  readonly morePictures?: readonly Picture[];
  readonly question: string;
  readonly answer: string;
  /** What a data set asks of an answer, if anything (`TrueAnswer`). */
  readonly answerKind?: AnswerKind;
  readonly tolerance?: number | string;
}

/** One sampled response. Fields beyond `rollout` appear with the phase that makes them. */
export interface SampleRecord {
  readonly text: string;
  /** Token strings in order (the end token included, if sampled), aligned with the arrays below. */
  readonly tokens: readonly string[];
  readonly tokenIds: readonly number[];
  /** Of the policy that sampled, over all tokens. */
  readonly logprobs: readonly number[];
  readonly entropies: readonly number[];
  /**
   * log P of the tokens that could be sampled, all but the vision tokens: a token was drawn with `logprobs` − this.
   * Absent where it is 0 for every token.
   */
  readonly allowed?: readonly number[];
  /** Which segment each token belongs to; null outside the blocks. */
  readonly segments: readonly (Segment | null)[];
  /** Round of reflection of each token, 0 in the first solution; present where the run's form allows several. */
  readonly rounds?: readonly number[];
  /** False when the response ran into the length limit. */
  readonly finished: boolean;
  /**
   * Where this record is a preview: the arrays above hold the first tokens only, and this is what all of them come to.
   */
  readonly whole?: {
    readonly tokens: number;
    readonly logprob: number;
    readonly entropy: number;
    readonly logprobAfter?: number;
  };
  /** phase score */
  readonly score?: SampleScore | ScoreFailure;
  /**
   * Of a response continued after a trigger: first token of the trigger, and of what was sampled after it. The
   * trigger's tokens were not sampled, and have no log-probability.
   */
  readonly forcedFrom?: number;
  readonly continuedFrom?: number;
  /** phase score, of a continued response: it is right, and trained on by likelihood. */
  readonly kept?: boolean;
  /** phase normalise: β·Σ KL, taken off the reward before the advantage; absent where the KL is not in the reward. */
  readonly klPenalty?: number;
  /** phase normalise */
  readonly advantage?: number;
  /** phase update: log-probabilities of the same tokens after the step. */
  readonly logprobsAfter?: readonly number[];
}

/** A response that could not be scored. It has no reward, and takes no part in its step. */
export interface ScoreFailure {
  /** Names the problem, the response and, where one failed, the reward term. */
  readonly error: string;
  /** Where a term of one's own failed: enough to score the response again with other terms. */
  readonly facts?: ResponseFacts;
}

export interface SampleScore {
  readonly firstSolution: { readonly think: string; readonly answer: string } | null;
  readonly reflection: string | null;
  readonly refinedSolution: { readonly think: string; readonly answer: string } | null;
  readonly wellFormed: boolean;
  /** Why the format term is 0, one sentence each; empty when well formed. */
  readonly formatReasons: readonly string[];
  readonly firstRight: boolean;
  readonly refinedRight: boolean;
  /** Why each answer is right or wrong, by each grader; absent in records of earlier versions. */
  readonly gradeReasons?: GradeReasons;
  /** That of the last round; null where there is no second answer to compare. */
  readonly transition: Transition | null;
  /** Every round of reflection, where the run's form allows several. */
  readonly rounds?: readonly ScoredRound[];
  readonly terms: RewardTerms;
  /** What no weight changes: enough to score the response again under other weights, without its text. */
  readonly facts: ResponseFacts;
}

/** Beginning of a response that was not sampled with it. */
export interface GroupPrefix {
  readonly tokens: readonly string[];
  readonly segments: readonly (Segment | null)[];
}

export interface GroupRecord {
  readonly problem: ProblemRecord;
  /** Factors on the tiers of I_eff that the step pays, where adaptive tiers are on. */
  readonly tierFactors?: TierFactors;
  /** Where the group begins after a prefix, their text includes it, their tokens do not. */
  readonly samples: readonly SampleRecord[];
  /** A first solution of an earlier step, after which every response of the group goes on. */
  readonly prefix?: GroupPrefix;
  /** Responses continued after a trigger; beside the samples, not among them. */
  readonly rethought?: readonly SampleRecord[];
  /** These samples were drawn from the replay buffer: the step (from 1) that sampled them. */
  readonly replayedFrom?: number;
  /** phase normalise */
  readonly normalised?: Omit<GroupAdvantages, "advantages">;
  /** phase score: left out of the step by the online filter. */
  readonly filtered?: boolean;
}

/**
 * Numbers of one step under the trainers' usual names. Fractions in [0, 1]; lengths in tokens; entropy and KL in nats a
 * token. Absent keys were not measured in that stage.
 */
export interface StepMetrics {
  readonly step: number;
  readonly stage: Stage;
  readonly loss?: number;
  readonly grad_norm?: number;
  readonly learning_rate?: number;
  readonly reward?: number;
  /** Standard deviation (n − 1) of the rewards of the whole step, as TRL logs it. */
  readonly reward_std?: number;
  /** Mean over the groups of their standard deviations. */
  readonly "reward/group_std"?: number;
  readonly "rewards/format"?: number;
  readonly "rewards/accuracy"?: number;
  readonly "rewards/effectiveness"?: number;
  readonly "rewards/reflectionFormat"?: number;
  readonly "rewards/length"?: number;
  /** Terms of one's own, by name. */
  readonly [term: `rewards/${string}`]: number | undefined;
  /** Responses without a score: a reward term failed. */
  readonly "score/failed"?: number;
  readonly "accuracy/first"?: number;
  readonly "accuracy/refined"?: number;
  readonly "transitions/kept"?: number;
  readonly "transitions/fixed"?: number;
  readonly "transitions/stillWrong"?: number;
  readonly "transitions/spoilt"?: number;
  /** Tiers of I_eff that the step paid, before their common weight; where adaptive tiers are on. */
  readonly "tiers/kept"?: number;
  readonly "tiers/fixed"?: number;
  readonly "format/wellFormed"?: number;
  readonly "completions/mean_length"?: number;
  readonly "completions/reflection_length"?: number;
  /** Rounds of reflection of a response; where the form allows several. */
  readonly "completions/rounds"?: number;
  readonly "completions/clipped_ratio"?: number;
  readonly entropy?: number;
  /** Against the KL reference; absent while β = 0, where no reference exists. */
  readonly kl?: number;
  /**
   * Of the policy that is updated from the distribution sampled from: rounding, f16 in the KV cache, and the vision
   * tokens, which the update's log-probabilities count and the sampler never draws. Not measured beside a KL term.
   */
  readonly "kl/sampler"?: number;
  readonly frac_reward_zero_std?: number;
  /** 1 where the step could teach nothing (src/srpo/noLesson.ts says why), else 0; not in the base stage. */
  readonly no_lesson?: number;
  readonly "clip_ratio/low_mean"?: number;
  readonly "clip_ratio/high_mean"?: number;
  /** Records passed over when this step's problems were taken: they cannot be used. Absent for built-in problems. */
  readonly "data/skipped"?: number;
  /** Groups sampled in this step, those of them that the filter kept, and how often problems were drawn again. */
  readonly "filter/drawn"?: number;
  readonly "filter/kept"?: number;
  readonly "filter/refills"?: number;
  /** Selective sample replay: samples of this step with an advantage, samples drawn, samples in the buffer after it. */
  readonly "replay/effective"?: number;
  readonly "replay/drawn"?: number;
  readonly "replay/buffer"?: number;
  /** Forced rethinking: responses continued after a trigger, and those kept. */
  readonly "rethinking/tried"?: number;
  readonly "rethinking/kept"?: number;
  /** Groups that began after an earlier first solution, and entries in the buffer after the step. */
  readonly "failures/groups"?: number;
  readonly "failures/buffer"?: number;
  /** Responses left out of the loss because they were truncated (`grpo.maskTruncated`). */
  readonly "completions/masked"?: number;
  /** Number of the stage, from 1, of a run with several (`grpo.stages`). */
  readonly "stage/number"?: number;
  /** Mean overlong penalty, weighted; absent where the reward has none. */
  readonly "rewards/overlong"?: number;
  /** Mean KL penalty taken off the rewards (β·Σ KL), negative as a term of the reward. */
  readonly "rewards/kl"?: number;
  /** Optimiser updates made in this step; 0 where no response was left to train on. */
  readonly updates?: number;
  /** Mean of log π_old − log π (k1) over the updates of a step; absent with one update and no replay, where it is 0. */
  readonly ppo_kl?: number;
  /** Least and greatest ratio of a step with several updates or replayed samples. */
  readonly "ratio/min"?: number;
  readonly "ratio/max"?: number;
  /** SAPO: mean of 4σ(1 − σ) over the tokens, 1 where every gate is open. */
  readonly "ratio/gate"?: number;
  /** Share of the tokens whose log ρ lies in bin n (src/srpo/ratioStatistics.ts `LOG_RATIO_EDGES`). */
  readonly [bin: `ratio_histogram/${string}`]: number;
  /** Loss of the rows trained by likelihood in a policy update. */
  readonly "loss/likelihood"?: number;
  /** Response tokens of this step (TRL's num_tokens counts prompts too, and all steps so far). */
  readonly step_tokens?: number;
  readonly step_time?: number;
  readonly "time/rollout"?: number;
  readonly "time/update"?: number;
  /** Tokens sampled over `time/rollout`: prompts and pictures included in the time. */
  readonly "time/rollout_tokens_per_second"?: number;
}

/** Evaluation on held-out problems. */
export interface EvaluationRecord {
  readonly step: number;
  readonly stage: Stage;
  readonly problems: number;
  readonly samples: number;
  readonly accuracyFirst: number;
  readonly accuracyRefined: number;
  readonly wellFormed: number;
  readonly meanLength: number;
  readonly transitions: Readonly<Record<Transition, number>>;
  readonly byFamily: Readonly<Record<string, { readonly first: number; readonly refined: number }>>;
  /** Records passed over because they cannot be used; absent for built-in problems. */
  readonly skipped?: number;
}

/** One record of the reflection data set of stage 1. */
export interface ReflectionExample {
  readonly problem: ProblemRecord;
  readonly strategy: "correction" | "simplification";
  readonly firstRight: boolean;
  /** The policy's own first solution; the teacher's reflection; the refined solution. */
  readonly firstSolution: { readonly think: string; readonly answer: string };
  readonly reflection: string;
  readonly refinedSolution: { readonly think: string; readonly answer: string };
  /** Rounds of reflection after this one, where the run's form allows several. */
  readonly laterRounds?: readonly {
    readonly reflection: string;
    readonly solution: { readonly think: string; readonly answer: string };
  }[];
}

/** Progress of building the data set. */
export interface DataProgress {
  readonly collected: number;
  readonly wanted: number;
  readonly right: number;
  readonly wrong: number;
  /** Answers that could not be used (no readable answer). */
  readonly discarded: number;
}

export interface SnapshotInfo {
  readonly id: string;
  readonly stage: Stage;
  readonly step: number;
  readonly label?: string;
  readonly bytes: number;
}

/** Metric of bin number `bin` of the ratio histogram. */
export function ratioBinKey(bin: number): `ratio_histogram/${string}` {
  return `ratio_histogram/${String(bin).padStart(2, "0")}`;
}

/** The sample's score; null before phase score and where scoring failed. */
export function scoreOf(sample: SampleRecord): SampleScore | null {
  return sample.score !== undefined && !("error" in sample.score) ? sample.score : null;
}
