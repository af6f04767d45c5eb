/** The page's curves: metrics, order, colours and axes. */
import type { Settings, Stage, StepMetrics } from "../../worker/protocol";
import { customHue, number, percent } from "../state/words";

export type MetricKey = Exclude<keyof StepMetrics, "step" | "stage">;

export interface Series {
  readonly key: MetricKey;
  readonly label: string;
  readonly hue: string;
  /** Distinguishes series without colour. */
  readonly dash?: string;
}

export interface Curve {
  readonly title: string;
  readonly unit: string;
  /** What it means, in a sentence or two. */
  readonly what: string;
  readonly kind: "lines" | "stack";
  readonly size: "large" | "small";
  readonly series: readonly Series[];
  /** Fixed range of the axis; default: from the data. */
  readonly domain?: readonly [number, number];
  /** The axis always includes zero. */
  readonly fromZero?: boolean;
  readonly show: (value: number) => string;
  /** Only where it was measured: why not, in place of the curve; null: the card is left out. */
  readonly unmeasured?: string | null;
  /** Metric without which the series mean nothing: with one update a rollout, nothing is ever clipped. */
  readonly needs?: MetricKey;
  /** For stacks: the series whose extremes survive decimation. */
  readonly leading?: MetricKey;
}

const decimals =
  (digits: number) =>
  (value: number): string =>
    number(value, digits);
/** A decimal, since a few clipped tokens of thousands matter. */
const finePercent = (value: number): string => `${number(100 * value, 1)}\u202f%`;
const tokens = (value: number): string => number(value, 1);

const TERMS_TITLE = "Reward by term";

const GRPO: readonly Curve[] = [
  {
    title: "Right answers",
    unit: "share of samples",
    what: "Of all responses of a step: how many first answers are right, and how many refined ones.",
    kind: "lines",
    size: "large",
    domain: [0, 1],
    show: percent,
    series: [
      { key: "accuracy/first", label: "first", hue: "var(--first)", dash: "5 3" },
      { key: "accuracy/refined", label: "refined", hue: "var(--refined)" },
    ],
  },
  {
    title: "Effect of reflecting",
    unit: "share of samples",
    what: "What became of the answer: right and kept, wrong and fixed, wrong both times, or right and spoilt.",
    kind: "stack",
    size: "large",
    domain: [0, 1],
    show: percent,
    leading: "transitions/spoilt",
    series: [
      { key: "transitions/kept", label: "kept", hue: "var(--kept)" },
      { key: "transitions/fixed", label: "fixed", hue: "var(--fixed)" },
      { key: "transitions/stillWrong", label: "still wrong", hue: "var(--still-wrong)" },
      { key: "transitions/spoilt", label: "spoilt", hue: "var(--spoilt)" },
    ],
  },
  {
    title: TERMS_TITLE,
    unit: "mean",
    what: "What each term of the reward paid, as a mean over the step's responses. The terms add up to the reward.",
    kind: "lines",
    size: "large",
    show: decimals(2),
    fromZero: true,
    series: [
      { key: "rewards/format", label: "format", hue: "var(--term-format)" },
      { key: "rewards/accuracy", label: "accuracy", hue: "var(--term-accuracy)" },
      { key: "rewards/effectiveness", label: "I_eff", hue: "var(--term-effectiveness)" },
      { key: "rewards/reflectionFormat", label: "I_ref", hue: "var(--term-reflectionFormat)" },
      { key: "rewards/length", label: "α·f_len", hue: "var(--term-length)" },
    ],
  },
  {
    title: "Reward",
    unit: "mean",
    what: "Mean total reward of a step's responses. It is what training raises.",
    kind: "lines",
    size: "small",
    show: decimals(2),
    series: [{ key: "reward", label: "", hue: "var(--ink)" }],
  },
  {
    title: "Well formed",
    unit: "share",
    what: "Share of responses with all blocks in order: think, answer, reflection, think, answer.",
    kind: "lines",
    size: "small",
    domain: [0, 1],
    show: percent,
    series: [{ key: "format/wellFormed", label: "", hue: "var(--ink-2)" }],
  },
  {
    title: "Length",
    unit: "tokens",
    what: "Mean tokens of a response, the end token included.",
    kind: "lines",
    size: "small",
    fromZero: true,
    show: tokens,
    series: [{ key: "completions/mean_length", label: "", hue: "var(--ink-2)" }],
  },
  {
    title: "Reflection length",
    unit: "tokens",
    what: "Mean tokens between the reflection's tags. At two or three, reflections have become hollow.",
    kind: "lines",
    size: "small",
    fromZero: true,
    show: tokens,
    series: [{ key: "completions/reflection_length", label: "", hue: "var(--reflection)" }],
  },
  {
    title: "Entropy",
    unit: "nats per token",
    what: "How undecided the policy is at a token, on average: 0 is certain.",
    kind: "lines",
    size: "small",
    fromZero: true,
    show: decimals(3),
    series: [{ key: "entropy", label: "", hue: "var(--ink-2)" }],
  },
  {
    title: "KL",
    unit: "nats per token, from the starting policy",
    what: "How far the policy has moved from the one that GRPO started with.",
    kind: "lines",
    size: "small",
    fromZero: true,
    show: decimals(3),
    series: [{ key: "kl", label: "", hue: "var(--ink-2)" }],
    unmeasured: "No KL: β is 0",
  },
  {
    title: "Gradient norm",
    unit: "before clipping",
    what: "Length of the step's gradient before it is clipped to its largest norm.",
    kind: "lines",
    size: "small",
    fromZero: true,
    show: decimals(2),
    series: [{ key: "grad_norm", label: "", hue: "var(--ink-2)" }],
  },
  {
    title: "Flat groups",
    unit: "share",
    what: "Share of groups in which all rewards are equal: their advantages are 0, so they teach nothing.",
    kind: "lines",
    size: "small",
    domain: [0, 1],
    show: percent,
    series: [{ key: "frac_reward_zero_std", label: "", hue: "var(--ink-2)" }],
  },
  {
    title: "Clip",
    unit: "share of tokens whose gradient the clip stops",
    what: "Tokens whose ratio has left the clip's bounds, so that nothing pushes them further: ↑ above, ↓ below.",
    kind: "lines",
    size: "small",
    fromZero: true,
    show: finePercent,
    series: [
      { key: "clip_ratio/high_mean", label: "↑", hue: "var(--ink-2)" },
      { key: "clip_ratio/low_mean", label: "↓", hue: "var(--ink-3)", dash: "4 2" },
    ],
    unmeasured: null,
    needs: "ppo_kl",
  },
  {
    title: "Moved",
    unit: "nats per token, from the policy that sampled (ppo_kl)",
    what: "How far the policy moved from the one that sampled, within the updates of one step.",
    kind: "lines",
    size: "small",
    fromZero: true,
    show: decimals(4),
    series: [{ key: "ppo_kl", label: "", hue: "var(--ink-2)" }],
    unmeasured: null,
  },
];

const SFT: readonly Curve[] = [
  {
    title: "SFT loss",
    unit: "nats per token",
    what: "Mean negative log-likelihood of the example's tokens: how surprising the teacher's examples still are.",
    kind: "lines",
    size: "large",
    fromZero: true,
    show: decimals(3),
    series: [{ key: "loss", label: "loss", hue: "var(--ink)" }],
  },
  {
    title: "Gradient norm",
    unit: "before clipping",
    what: "Length of the step's gradient before it is clipped to its largest norm.",
    kind: "lines",
    size: "large",
    fromZero: true,
    show: decimals(2),
    series: [{ key: "grad_norm", label: "norm", hue: "var(--ink-2)" }],
  },
  {
    title: "Learning rate",
    unit: "",
    what: "The rate after warm-up and decay, as used by the step.",
    kind: "lines",
    size: "large",
    fromZero: true,
    show: (value) => value.toExponential(1).replace("-", "−"),
    series: [{ key: "learning_rate", label: "rate", hue: "var(--ink-2)" }],
  },
];

/** The rows in which a curve was measured. */
export function measuredRows({ series, needs }: Curve, rows: readonly StepMetrics[]): readonly StepMetrics[] {
  return rows.filter(
    (row) => series.some(({ key }) => row[key] !== undefined) && (needs === undefined || row[needs] !== undefined),
  );
}

/** Drawn only where responses were left without a score. */
const FAILED: Curve = {
  title: "Not scored",
  unit: "responses of a step",
  what: "Responses of a step that could not be scored; they take no part in it.",
  kind: "lines",
  size: "small",
  fromZero: true,
  show: decimals(0),
  series: [{ key: "score/failed", label: "", hue: "var(--spoilt)" }],
};

/**
 * The curves of a stage, with the reward terms of one's own beside the built-in ones. The base stage does not train: it
 * shows the GRPO curves, empty or from earlier steps.
 */
export function curvesOf(
  stage: Stage,
  { customTerms }: Pick<Settings["reward"], "customTerms">,
  rows: readonly StepMetrics[],
): readonly Curve[] {
  if (stage === "sft") return SFT;
  const own = customTerms.map(
    ({ name }, at): Series => ({ key: `rewards/${name}`, label: name, hue: customHue(at), dash: "2 2" }),
  );
  const curves = GRPO.map((curve) =>
    curve.title === TERMS_TITLE && own.length > 0 ? { ...curve, series: [...curve.series, ...own] } : curve,
  );
  const drawn = curves.filter((curve) => curve.unmeasured !== null || measuredRows(curve, rows).length > 0);
  return rows.some((row) => (row["score/failed"] ?? 0) > 0) ? [...drawn, FAILED] : drawn;
}
