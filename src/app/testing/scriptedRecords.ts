/** Invented records for the scripted client: smooth learning curves with a little noise, SFT examples, snapshots. */
import {
  type DataProgress,
  type EvaluationRecord,
  type Event,
  type PolicySource,
  type ReflectionExample,
  ratioBinKey,
  type Settings,
  type SnapshotInfo,
  type Stage,
  type StepMetrics,
} from "../../worker/protocol";
import { barProblem, random } from "./fixture";

/** How often an answer is right. */
export const skillAt = (stage: Stage, step: number): number =>
  stage === "base" ? 0.1 : stage === "sft" ? 0.2 : 0.25 + 0.7 * (1 - Math.exp(-step / 45));

/** Shares of the ratio histogram's bins after several updates. */
const MOVED = [0, 0, 0.012, 0.055, 0.09, 0.11, 0.386, 0.13, 0.11, 0.07, 0.034, 0.003, 0] as const;

/** What a step's updates, filter and KL add to its metrics. */
function methodMetrics(grpo: Settings["grpo"], kl: number): Partial<StepMetrics> {
  const updates = grpo.updatesPerRollout * grpo.epochs;
  const several = {
    "clip_ratio/low_mean": 0.004,
    "clip_ratio/high_mean": 0.031,
    ppo_kl: 0.0021,
    "ratio/min": 0.71,
    "ratio/max": 1.43,
    ...Object.fromEntries(MOVED.map((share, bin) => [ratioBinKey(bin), share])),
  };
  const refills = grpo.refills > 0 ? 1 : 0;
  return {
    updates,
    "clip_ratio/low_mean": 0,
    "clip_ratio/high_mean": 0,
    ...(updates > 1 ? several : {}),
    ...(grpo.beta > 0 ? { kl } : {}),
    ...(grpo.onlineFilter === null
      ? {}
      : {
          "filter/drawn": grpo.prompts + 5 * refills,
          "filter/kept": refills > 0 ? grpo.prompts : Math.ceil(0.7 * grpo.prompts),
          "filter/refills": refills,
        }),
    ...(grpo.stages.length > 0 ? { "stage/number": 1 } : {}),
  };
}

/** Metrics of one step with these settings. */
export function metricsAt(stage: Stage, step: number, grpo: Settings["grpo"]): StepMetrics {
  const next = random(step * 17 + (stage === "sft" ? 5 : 9));
  const noise = (width: number): number => (next() - 0.5) * width;
  const t = 1 - Math.exp(-step / 45);
  if (stage === "sft") {
    return {
      step,
      stage,
      loss: 0.25 + 1.9 * Math.exp(-step / 40) + noise(0.08),
      grad_norm: 0.6 + 2 * Math.exp(-step / 30) + noise(0.2),
      learning_rate: 1e-3 * (1 - step / 320),
      step_time: 0.11,
    };
  }
  const first = Math.min(1, 0.43 + 0.53 * t + noise(0.08));
  const spoilt = Math.max(0, 0.17 - 0.1 * t + noise(0.05));
  const fixed = Math.max(0, Math.min(1 - first, 0.16 * (1 - t) + 0.03 + noise(0.03)));
  const kept = Math.max(0, first - spoilt);
  return {
    step,
    stage,
    loss: noise(0.02),
    grad_norm: 0.4 + 0.5 * Math.exp(-step / 60) + noise(0.2),
    learning_rate: 2e-4,
    reward: 0.98 + 0.5 * t + noise(0.06),
    reward_std: 0.42 - 0.2 * t,
    "reward/group_std": 0.35 - 0.2 * t,
    "format/wellFormed": 0.94 + 0.05 * t,
    "rewards/format": 0.47 + 0.03 * t,
    "rewards/accuracy": first / 2,
    "rewards/effectiveness": 0.25 * kept + 0.5 * fixed - 0.25 * spoilt,
    "rewards/reflectionFormat": 0.235 + 0.01 * t,
    "rewards/length": 0.055 + 0.03 * t + noise(0.008),
    "accuracy/first": first,
    "accuracy/refined": kept + fixed,
    "transitions/kept": kept,
    "transitions/fixed": fixed,
    "transitions/spoilt": spoilt,
    "transitions/stillWrong": Math.max(0, 1 - kept - fixed - spoilt),
    "completions/mean_length": 60 - 6 * t + noise(2),
    "completions/reflection_length": 9 - 5 * t + noise(0.6),
    entropy: 0.52 * Math.exp(-step / 70) + 0.08 + noise(0.02),
    frac_reward_zero_std: Math.min(1, Math.max(0, 0.05 + 0.5 * t * t + noise(0.1))),
    ...methodMetrics(grpo, 0.12 * t + Math.abs(noise(0.01))),
    step_time: 0.32,
  };
}

/** Metrics of all steps up to this one. */
export const historyTo = (stage: Stage, step: number, grpo: Settings["grpo"]): StepMetrics[] => [
  ...(stage === "grpo" ? Array.from({ length: 300 }, (_, at) => metricsAt("sft", at + 1, grpo)) : []),
  ...(stage === "base" ? [] : Array.from({ length: step }, (_, at) => metricsAt(stage, at + 1, grpo))),
];

/** One example of the SFT data. */
export function example(seed: number): ReflectionExample {
  const problem = barProblem(seed);
  const wrong = random(seed)() < 0.68;
  const first = Number(problem.answer) + (wrong ? 1 : 0);
  const [left = "A", , right = "C"] = problem.question.split(" ");
  const a = Math.min(9, Math.floor(Number(problem.answer) / 2));
  const think = (value: number): string => `${left} = ${a} ; ${right} = ${value - a} ; ${a} + ${value - a} = ${value}`;
  return {
    problem,
    strategy: wrong ? "correction" : "simplification",
    firstRight: !wrong,
    firstSolution: { think: think(first) + (wrong ? "" : ` ; so ${think(first)}`), answer: String(first) },
    reflection: wrong
      ? `check ${right} ; it is ${Number(problem.answer) - a} not ${first - a}`
      : "right ; the sum is said twice ; once is enough",
    refinedSolution: { think: think(Number(problem.answer)), answer: problem.answer },
  };
}

/** Examples that the SFT data is to have. */
export const EXAMPLES = 2048;

export function dataProgress(collected: number): DataProgress {
  const right = Math.round(collected * 0.31);
  return { collected, wanted: EXAMPLES, right, wrong: collected - right, discarded: Math.round(collected * 0.04) };
}

export const snapshot = (stage: Stage, step: number): SnapshotInfo => ({
  id: `${stage}-${step}`,
  stage,
  step,
  bytes: 11_500_000,
});

/** Snapshots of a run that has reached this step. */
export const snapshotsTo = (stage: Stage, reached: number): SnapshotInfo[] =>
  stage === "base" ? [] : [0, 25, 50, 100].filter((step) => step <= reached).map((step) => snapshot(stage, step));

export const evaluation = (stage: Stage, step: number, problems: number): EvaluationRecord => ({
  step,
  stage,
  problems,
  samples: problems,
  accuracyFirst: 0.8,
  accuracyRefined: 0.82,
  wellFormed: 0.97,
  meanLength: 52,
  transitions: { kept: 0.75, fixed: 0.07, stillWrong: 0.13, spoilt: 0.05 },
  byFamily: { bars: { first: 0.8, refined: 0.82 } },
});

type Opened = Omit<Extract<Event, { type: "opened" }>, "run">;

/** What a worker reports of a run that it has opened. */
export function openedAs(
  backend: Opened["backend"],
  run: Pick<Opened, "settings" | "stage" | "step" | "history"> & {
    readonly source: PolicySource;
    readonly watching: boolean;
  },
): Opened {
  const { source, watching, ...rest } = run;
  return {
    type: "opened",
    backend,
    adapter: backend === "webgpu" ? "scripted recording" : "SIMD, 1 thread",
    features: backend === "webgpu" ? ["shader-f16", "subgroups"] : ["simd"],
    costs: { download: 310, device: 95, pipelines: 95, selfTest: 180, load: 60 },
    parameters: 956_416,
    ...rest,
    resumed: false,
    start: source.kind === "shipped" ? source.name : "own",
    passedOver:
      backend === "webgpu"
        ? []
        : [{ backend: "webgpu", why: "This browser offers no WebGPU adapter (navigator.gpu is missing)." }],
    ...(watching ? { watching: true } : {}),
  };
}
