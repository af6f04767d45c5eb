/** The page's names for the method's things, in one place: labels, hues (CSS variables) and short explanations. */
import type { RewardTerms, Segment, Transition } from "../../srpo/types";
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
  kept: { label: "kept", first: true, refined: true, what: "right, and still right after reflecting" },
  fixed: { label: "fixed", first: false, refined: true, what: "wrong, put right by reflecting" },
  stillWrong: { label: "still wrong", first: false, refined: false, what: "wrong before and after" },
  spoilt: { label: "spoilt", first: true, refined: false, what: "right, made wrong by reflecting" },
};

/** The parts of a total in the order of the bar; `value` is what the term adds to the total. */
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
    label: "A reflection is there",
    symbol: "I_ref",
    value: (terms: RewardTerms) => terms.reflectionFormat,
  },
  { key: "length", label: "Length on target", symbol: "α·f_len", value: (terms: RewardTerms) => terms.lengthWeighted },
] as const;
export type TermKey = (typeof TERMS)[number]["key"];

export const PHASE_WORDS: Readonly<Record<Phase, { readonly label: string; readonly what: string }>> = {
  rollout: { label: "Rollout", what: "The policy answers each problem several times." },
  score: { label: "Score", what: "Every response is parsed and each reward term computed." },
  normalise: { label: "Normalise", what: "Rewards become advantages within their group." },
  update: { label: "Update", what: "Responses above the group's mean become more probable, the others less." },
};

export const STAGE_WORDS: Readonly<Record<Stage, { readonly label: string; readonly what: string }>> = {
  base: { label: "Base", what: "The policy as shipped: it can see, but writes carelessly and does not reflect." },
  sft: {
    label: "Reflection SFT",
    what: "It learns the form: its own answers, followed by a teacher's reflection and a refined solution.",
  },
  grpo: { label: "GRPO", what: "It learns what pays: groups of its own responses are scored and compared." },
};

export const FAMILY_WORDS: Readonly<Record<string, string>> = {
  bars: "Bar chart",
  shapes: "Counting shapes",
  geometry: "Geometry",
  digits: "Arithmetic",
};

export const BACKEND_WORDS = { webgpu: "WebGPU", wasm: "WebAssembly", reference: "Plain TensorFlow.js" } as const;

/** Why a response without an advantage of its own became more or less probable all the same. */
export const MOVED_BY_OTHERS =
  "Log p moved all the same: the step's other groups, AdamW's momentum and shared weights move it too.";

/** 2–3 decimals and a true minus sign, for tabular figures. */
export function number(value: number, digits = 2): string {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
}

export function signed(value: number, digits = 2): string {
  const text = number(value, digits);
  return text.startsWith("−") || Number(value.toFixed(digits)) === 0 ? text : `+${text}`;
}

export const percent = (fraction: number): string => `${Math.round(fraction * 100)}\u202f%`;
