/** The page's words for segments, transitions, reward terms, phases and stages: labels and short explanations. */
import type { BuiltInTerm } from "../../srpo/reward";
import type { CustomTerm, RewardConfig, RewardTerms, Segment, Transition } from "../../srpo/types";
import type { Phase, Stage } from "../../worker/protocol";

export const SEGMENTS: readonly { readonly segment: Segment; readonly label: string; readonly short: string }[] = [
  { segment: "first", label: "First solution", short: "First" },
  { segment: "reflection", label: "Reflection", short: "Reflection" },
  { segment: "refined", label: "Refined solution", short: "Refined" },
];

export const TRANSITION_WORDS: Readonly<
  Record<
    Transition,
    { readonly label: string; readonly first: boolean; readonly refined: boolean; readonly what: string }
  >
> = {
  kept: { label: "kept", first: true, refined: true, what: "right before and after reflecting" },
  fixed: { label: "fixed", first: false, refined: true, what: "wrong before, right after reflecting" },
  stillWrong: { label: "still wrong", first: false, refined: false, what: "wrong before and after reflecting" },
  spoilt: { label: "spoilt", first: true, refined: false, what: "right before, wrong after reflecting" },
};

/** The reward terms in the order of the bar; `value` is the term's share of the total. */
export const TERMS = [
  { key: "format", label: "Format", symbol: "R_format", value: (terms: RewardTerms) => terms.format },
  { key: "accuracy", label: "First answer right", symbol: "R_accuracy", value: (terms: RewardTerms) => terms.accuracy },
  {
    key: "effectiveness",
    label: "Reflection helped",
    symbol: "I_eff",
    value: (terms: RewardTerms) => terms.effectiveness,
  },
  {
    key: "reflectionFormat",
    label: "Reflection present",
    symbol: "I_ref",
    value: (terms: RewardTerms) => terms.reflectionFormat,
  },
  { key: "length", label: "Length on target", symbol: "α·f_len", value: (terms: RewardTerms) => terms.lengthWeighted },
] as const;

/** A reward term as the page shows it. */
export type ShownTerm = {
  readonly label: string;
  readonly symbol: string;
  /** The class that colours it, and the colour itself. */
  readonly colour: string;
  readonly hue: string;
} & (
  | { readonly key: BuiltInTerm; readonly custom?: undefined }
  | { readonly key: string; readonly custom: CustomTerm }
);

/** Shown where the reward has it. */
const OVERLONG: ShownTerm = {
  key: "overlong",
  label: "Overlong",
  symbol: "R_overlong",
  colour: "term-overlong",
  hue: "var(--term-overlong)",
};

/** The built-in terms, then those of one's own, each in the colour of its place. */
export function termsOf({
  customTerms,
  overlongWeight,
}: Pick<RewardConfig, "customTerms" | "overlongWeight">): readonly ShownTerm[] {
  return [
    ...TERMS.map(
      ({ key, label, symbol }): ShownTerm => ({ key, label, symbol, colour: `term-${key}`, hue: `var(--term-${key})` }),
    ),
    ...(overlongWeight === 0 ? [] : [OVERLONG]),
    ...customTerms.map(
      (custom, at): ShownTerm => ({
        key: custom.name,
        label: custom.name,
        symbol: "your own",
        colour: `term-custom-${at + 1}`,
        hue: customHue(at),
        custom,
      }),
    ),
  ];
}

/** The colour of the term of one's own at a place in their list. */
export const customHue = (at: number): string => `var(--term-custom-${at + 1})`;

export const PHASE_WORDS: Readonly<Record<Phase, { readonly label: string; readonly what: string }>> = {
  rollout: { label: "Rollout", what: "The policy answers each problem several times." },
  score: { label: "Score", what: "Each response is parsed and its reward terms are computed." },
  normalise: { label: "Normalise", what: "The rewards of each group become advantages." },
  update: { label: "Update", what: "Responses above the group mean become more likely, the others less." },
};

export const STAGE_WORDS: Readonly<Record<Stage, { readonly label: string; readonly what: string }>> = {
  base: { label: "Base", what: "The shipped policy: it reads pictures, but makes mistakes and does not reflect." },
  sft: {
    label: "Reflection SFT",
    what: "It learns the format: its own answer, then a teacher's reflection and a refined solution.",
  },
  grpo: {
    label: "GRPO",
    what: "It learns which reflections help: its responses to each problem are scored and compared.",
  },
};

/** "GRPO, step 37" */
export const placeOf = ({ stage, step }: { readonly stage: Stage; readonly step: number }): string =>
  step === 0 ? STAGE_WORDS[stage].label : `${STAGE_WORDS[stage].label}, step ${step}`;

export const FAMILY_WORDS: Readonly<Record<string, string>> = {
  bars: "Bar chart",
  shapes: "Counting shapes",
  geometry: "Geometry",
  digits: "Arithmetic",
};

export const BACKEND_WORDS = { webgpu: "WebGPU", wasm: "WebAssembly", reference: "Plain TensorFlow.js" } as const;

/** Fixed decimals and a true minus sign, for tabular figures. */
export function number(value: number, digits = 2): string {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

export function signed(value: number, digits = 2): string {
  const text = number(value, digits);
  return text.startsWith("−") || Number(value.toFixed(digits)) === 0 ? text : `+${text}`;
}

export const percent = (fraction: number): string => `${Math.round(fraction * 100)}\u202f%`;
