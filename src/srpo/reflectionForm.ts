/**
 * The form in which a response reflects. SRPO (arXiv 2506.01713v3, section 3.1) knows one: the tag pair
 * `<reflection> … </reflection>`, once. Beyond the paper a run may choose
 * - other tag names (`tag`);
 * - a worded trigger without a tag, as in VL-Rethinker's forced rethinking ("Wait, does it seem right?"): a reflection
 *   is what stands between an `</answer>` and the next `<think>` and begins with the trigger. The trigger opens the
 *   reflection as a tag would: it is no part of what the reflection says, and alone it is an empty reflection;
 * - several rounds: solution, then 1 to `rounds` times a reflection and a refined solution.
 */
export const REFLECTION_KINDS = ["tags", "trigger"] as const;
export type ReflectionKind = (typeof REFLECTION_KINDS)[number];

export interface ReflectionForm {
  readonly kind: ReflectionKind;
  /** Kind tags: name of the pair. */
  readonly tag: string;
  /** Kind trigger: the words that open a reflection; runs of white space count as one space. */
  readonly trigger: string;
  /** Maximum number of reflections, each followed by a refined solution; 1 to MAX_ROUNDS. */
  readonly rounds: number;
}

export const MAX_ROUNDS = 4;

/** The paper's form. Its trigger, used once the kind changes, is made of words of the nano policy. */
export const PAPER_FORM: ReflectionForm = {
  kind: "tags",
  tag: "reflection",
  trigger: "is answer right ?",
  rounds: 1,
};

/** What opens a reflection: the opening tag, or the trigger. */
export function openerOf({ kind, tag, trigger }: ReflectionForm): string {
  return kind === "tags" ? `<${tag}>` : trigger;
}

/** The same as messages name it: a trigger is in quotation marks. */
export function openingOf(form: ReflectionForm): string {
  return form.kind === "tags" ? openerOf(form) : `“${openerOf(form)}”`;
}

/** A reflection as the form writes it, with single spaces around its parts. */
export function writeReflection(said: string, { kind, tag, trigger }: ReflectionForm): string {
  return kind === "tags" ? `<${tag}> ${said} </${tag}>` : `${trigger} ${said}`;
}

/** The words that a policy must be able to write for this form, besides those of think and answer. */
export function wordsOf({ kind, tag, trigger }: ReflectionForm): string {
  return kind === "tags" ? `<${tag}> </${tag}>` : trigger;
}

/** Matches the trigger, its words whole, after any white space; sticky, so that it is tried at one place only. */
export function triggerPattern(trigger: string): RegExp {
  const words = trigger.trim().split(/\s+/).map(escaped).join("\\s+");
  return new RegExp(`\\s*${words}${/[\p{L}\p{N}]$/u.test(trigger.trim()) ? "(?![\\p{L}\\p{N}])" : ""}`, "uy");
}

function escaped(word: string): string {
  return word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
