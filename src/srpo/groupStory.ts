/**
 * The story of one group in a few sentences, from its own numbers: which responses were pushed up and down and how far
 * they moved, when reflecting cost more than it gave, when a trace of a difference was stretched to full advantages,
 * and when a response moved against its advantage.
 */
import { formatChange, formatNumber } from "./notation";
import { TRANSITIONS, type Transition } from "./types";

/** One response, as its story needs it. Null parts were not made yet. */
export interface StoryRow {
  readonly firstRight: boolean;
  readonly refinedRight: boolean;
  /** Null: no second answer to compare. */
  readonly transition: Transition | null;
  readonly reward: number | null;
  /** What each reward term adds, by the name to say. */
  readonly parts: Readonly<Record<string, number>> | null;
  readonly advantage: number | null;
  /** log p of the response after the update minus before, in nats. */
  readonly moved: number | null;
}

export interface GroupNumbers {
  readonly rows: readonly StoryRow[];
  /** Null before the rewards were compared. */
  readonly normalised: { readonly std: number; readonly flat: boolean } | null;
  /** The rewards are those of other weights than training used; the probabilities are training's. */
  readonly counterfactual: boolean;
}

export interface StoryNote {
  readonly topic: "flat" | "nothing right" | "worse" | "pushed" | "near-flat" | "against";
  readonly text: string;
  /** Why, in a sentence or two. */
  readonly why: string;
}

/** Advantages and changes of log p below these are not worth a sentence. */
const PUSHED = 0.1;
const MOVED = 0.02;
/** A range of rewards up to this much is a trace: α·f_len's whole weight in the paper's reward. */
const TRACE = 0.1;
/** Advantages at least this many times the range of the rewards are stretched. */
const STRETCHED = 5;

/** The story of a group; empty before anything is scored. */
export function groupStory(group: GroupNumbers): readonly StoryNote[] {
  const scored = group.rows.filter(({ reward }) => reward !== null);
  if (scored.length === 0) return [];
  const notes = group.normalised?.flat ? [flat(group, scored)] : [nothingRight(scored), nearFlat(group, scored)];
  return [...notes, worse(scored), ...(group.normalised?.flat ? [] : [pushed(group, scored), against(group)])].filter(
    (note) => note !== null,
  );
}

const BY_OTHERS = "the other groups of the step and AdamW's momentum change the same weights.";

function noneRight(scored: readonly StoryRow[]): boolean {
  return scored.every(({ firstRight, refinedRight }) => !firstRight && !refinedRight);
}

function flat({ counterfactual }: GroupNumbers, scored: readonly StoryRow[]): StoryNote {
  const what = noneRight(scored) ? "No answer is right and all rewards are equal" : "All rewards are equal";
  const moved = scored.some((row) => Math.abs(row.moved ?? 0) > MOVED);
  const anyway = !moved
    ? ""
    : counterfactual
      ? " Log p changed because training used the weights of before."
      : ` Log p changed anyway: ${BY_OTHERS}`;
  return {
    topic: "flat",
    text: `${what}: every advantage is 0, so this group teaches nothing.${anyway}`,
    why: "An advantage compares a reward with the group's mean. Where all are equal there is nothing to prefer.",
  };
}

function nothingRight(scored: readonly StoryRow[]): StoryNote | null {
  if (!noneRight(scored)) return null;
  return {
    topic: "nothing right",
    text: "No answer in this group is right. It can only teach what still differs, such as format and length.",
    why: "The responses are ranked all the same: the least bad one becomes more likely.",
  };
}

/** A trace of a difference, divided by a small std, makes advantages of full size. */
function nearFlat({ normalised }: GroupNumbers, scored: readonly StoryRow[]): StoryNote | null {
  if (normalised === null) return null;
  const range = rangeOf(scored.map(({ reward }) => reward ?? 0));
  const advantages = scored.map(({ advantage }) => advantage ?? 0);
  const [low, high] = [Math.min(...advantages), Math.max(...advantages)];
  if (range > TRACE || Math.max(-low, high) < STRETCHED * range) return null;
  const differing = termsThatDiffer(scored);
  const only = differing.length === 1 ? ` Only ${differing[0]} differs.` : "";
  return {
    topic: "near-flat",
    text:
      `A near-flat group: a difference of ${formatNumber(range)} in reward becomes advantages from ` +
      `${formatNumber(low)} to ${formatChange(high)}.${only}`,
    why:
      `The differences are divided by their own standard deviation of ${formatNumber(normalised.std)}. The group ` +
      "pushes as hard as one in which right answers compete with wrong ones.",
  };
}

function termsThatDiffer(scored: readonly StoryRow[]): readonly string[] {
  const names = Object.keys(scored[0]?.parts ?? {});
  return names.filter((name) => rangeOf(scored.map(({ parts }) => parts?.[name] ?? 0)) > 1e-9);
}

/** Fewer refined answers are right than first ones. */
function worse(scored: readonly StoryRow[]): StoryNote | null {
  const compared = scored.filter(({ transition }) => transition !== null);
  const count = (of: Transition): number => compared.filter(({ transition }) => transition === of).length;
  const [first, refined] = [count("kept") + count("spoilt"), count("kept") + count("fixed")];
  if (refined >= first) return null;
  return {
    topic: "worse",
    text:
      `Reflecting cost more than it gave here: ${first} of ${compared.length} first answers are right, ` +
      `${refined === 0 ? "none" : refined} after reflecting.`,
    why: "More answers were spoilt than fixed. I_eff is the term that takes reward away for that.",
  };
}

/** What a response is called by its transition: "2 fixed answers". */
const CALLED: Readonly<Record<Transition | "none", string>> = {
  kept: "kept",
  fixed: "fixed",
  stillWrong: "still wrong",
  spoilt: "spoilt",
  none: "without a second answer",
};

/** The transitions that gained and lost most, and what the update made of them. */
function pushed({ counterfactual }: GroupNumbers, scored: readonly StoryRow[]): StoryNote | null {
  const classes = ([...TRANSITIONS, "none"] as const).flatMap((of) => {
    const rows = scored.filter(({ transition }) => (transition ?? "none") === of);
    const advantages = rows.flatMap(({ advantage }) => advantage ?? []);
    return advantages.length === 0 ? [] : [{ of, rows, advantage: meanOf(advantages) }];
  });
  const ranked = [...classes].sort((a, b) => b.advantage - a.advantage);
  const [best, worst] = [ranked[0], ranked.at(-1)];
  const up = best && best.advantage > PUSHED ? best : null;
  const down = worst && worst.advantage < -PUSHED ? worst : null;
  const parts = [
    ...(up === null ? [] : [`${called(up)} pushed up (A ${about(up.rows, up.advantage)})${effect(up.rows)}`]),
    ...(down === null
      ? []
      : [`${called(down)} pushed down (A ${about(down.rows, down.advantage)})${effect(down.rows)}`]),
  ];
  if (parts.length === 0) return null;
  // With other weights the probabilities tell another story than the advantages.
  function effect(rows: readonly StoryRow[]): string {
    return counterfactual ? "" : movement(rows);
  }
  return {
    topic: "pushed",
    text: `${parts.join("; ")}.`,
    why:
      "Responses that gained more reward than the group's mean become more likely, token by token; the others less. " +
      "The probabilities are those of whole responses, so small changes of each token add up.",
  };
}

function called({ of, rows }: { readonly of: Transition | "none"; readonly rows: readonly StoryRow[] }): string {
  return `${rows.length} ${CALLED[of]}`;
}

function about(rows: readonly StoryRow[], advantage: number): string {
  return `${rows.length > 1 ? "≈ " : ""}${formatChange(Number(advantage.toFixed(1)))}`;
}

/** ": now 40 % less likely", by the geometric mean; "" before the update. */
function movement(rows: readonly StoryRow[]): string {
  const moves = rows.flatMap(({ moved }) => moved ?? []);
  if (moves.length === 0) return "";
  const by = meanOf(moves);
  if (Math.abs(by) < MOVED) return ": hardly moved";
  const factor = Math.exp(by);
  if (factor < 1) {
    const less = 100 * (1 - factor);
    return `: now ${less > 99 ? "over 99" : Math.round(less)} % less likely`;
  }
  if (factor < 2) return `: now ${Math.round(100 * (factor - 1))} % more likely`;
  return factor > 1000 ? ": now over 1000 times as likely" : `: now ${Number(factor.toPrecision(2))} times as likely`;
}

/** Responses that moved against their advantage. */
function against({ rows, counterfactual }: GroupNumbers): StoryNote | null {
  if (counterfactual) return null;
  const found = (wrong: (advantage: number, moved: number) => boolean): readonly number[] =>
    rows.flatMap(({ advantage, moved }, at) => (wrong(advantage ?? 0, moved ?? 0) ? [at + 1] : []));
  const fell = found((advantage, moved) => advantage > PUSHED && moved < -MOVED);
  const rose = found((advantage, moved) => advantage < -PUSHED && moved > MOVED);
  const sentence = (of: readonly number[], text: string): string[] =>
    of.length === 0 ? [] : [`${responses(of)} ${of.length === 1 ? "was" : "were"} ${text}`];
  const parts = [...sentence(fell, "pushed up and still fell"), ...sentence(rose, "pushed down and still rose")];
  if (parts.length === 0) return null;
  return {
    topic: "against",
    text: `${parts.join("; ")}: ${BY_OTHERS}`,
    why:
      "One update follows the sum of all responses' gradients. Where a response shares its words with others that " +
      "were pushed the other way, they decide.",
  };
}

function responses(of: readonly number[]): string {
  if (of.length === 1) return `Response ${of[0]}`;
  return `Responses ${of.slice(0, -1).join(", ")} and ${of.at(-1)}`;
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const rangeOf = (values: readonly number[]): number => Math.max(...values) - Math.min(...values);
