/**
 * Why a response is not well formed, in sentences: the patterns of the format (format.ts), in the run's form of
 * reflection.
 */
import type { FormatPattern } from "./format";
import { openingOf, PAPER_FORM, type ReflectionForm } from "./reflectionForm";
import { type BlockName, tagsOf } from "./tags";

const NUMBER_WORDS = ["no", "one", "two", "three", "four", "five"] as const;
const ORDINALS = ["first", "second", "third", "fourth", "fifth"] as const;

/** The blocks of a well-formed response with this number of rounds, in order. */
function orderOf(rounds: number): readonly BlockName[] {
  const round = ["reflection", "think", "answer"] as const;
  return ["think", "answer", ...Array.from({ length: rounds }, () => round).flat()];
}

/**
 * Why the format term is 0, one plain sentence each; empty exactly when the response is well formed under `pattern`.
 */
export function formatReasons(
  text: string,
  pattern: FormatPattern = "strict",
  form: ReflectionForm = PAPER_FORM,
): readonly string[] {
  if (text.trim() === "") return ["The response is empty."];
  const tags = tagsOf(text, form);
  const opened = (name: BlockName): number => tags.filter((t) => t.name === name && !t.closing).length;
  // Of several allowed numbers of rounds, the one that the response seems to aim at.
  const rounds = Math.min(form.rounds, Math.max(1, opened("reflection"), opened("answer") - 1));
  const order = orderOf(rounds);
  const worded = form.kind === "trigger";
  const opening = (name: BlockName): string => (name === "reflection" ? openingOf(form) : `<${name}>`);
  const closing = (name: BlockName): string => `</${name === "reflection" ? form.tag : name}>`;
  const spoken = (name: BlockName): string => (name === "reflection" && !worded ? form.tag : name);
  const reasons: string[] = [];
  for (const name of ["think", "answer", "reflection"] as const) {
    const wanted = name === "reflection" ? rounds : rounds + 1;
    const open = opened(name);
    const closed = tags.filter((t) => t.name === name && t.closing).length;
    const expected = `${NUMBER_WORDS[wanted] ?? wanted} ${wanted === 1 ? "is" : "are"} expected`;
    const there = open === 1 ? "There is 1" : open === 0 ? "There is no" : `There are ${open}`;
    if (open !== wanted) reasons.push(`${there} ${opening(name)}; ${expected}.`);
    if (open > closed)
      reasons.push(
        worded && name === "reflection"
          ? `No <think> follows the reflection that begins with ${opening(name)}.`
          : `A ${opening(name)} is never closed.`,
      );
    if (closed > open) reasons.push(`A ${closing(name)} closes nothing.`);
  }
  if (reasons.length === 0 && !tags.every((t, i) => t.closing === (i % 2 === 1) && t.name === order[i >> 1])) {
    const found = tags
      .filter((t) => !t.closing)
      .map((t) => spoken(t.name))
      .join(", ");
    const wanted = order.map(spoken).join(", ");
    reasons.push(
      found === wanted
        ? "Blocks overlap: each must be closed before the next opens."
        : `The blocks stand in the order ${found}; expected ${wanted}.`,
    );
  }
  const first = tags[0];
  const last = tags[tags.length - 1];
  if (!first || !last) return [...reasons, "The text stands outside any block."];
  if (pattern === "strict" && text.slice(0, first.start).trim() !== "")
    reasons.push(`Text stands before the first ${opening(first.name)}.`);
  if (last.closing && text.slice(last.end).trim() !== "")
    reasons.push(`Text stands after the last ${closing(last.name)}.`);
  tags.forEach((tag, i) => {
    const next = tags[i + 1];
    if (!next) return;
    const inside = text.slice(tag.end, next.start);
    if (tag.closing && !next.closing && inside.trim() !== "")
      reasons.push(`Text stands between ${closing(tag.name)} and ${opening(next.name)}.`);
    const blank = pattern === "strict" ? inside.trim() === "" : inside === "";
    if (!tag.closing && next.closing && tag.name === next.name && blank) {
      const place = tags.length === 2 * order.length ? titleOf(order, i >> 1, opening) : opening(tag.name);
      reasons.push(worded && tag.name === "reflection" ? `Nothing follows ${place}.` : `The ${place} block is empty.`);
    }
  });
  return [...new Set(reasons)];
}

/** The block at a place of the order, with its ordinal where there are several of its name. */
function titleOf(order: readonly BlockName[], place: number, opening: (name: BlockName) => string): string {
  const name = order[place] ?? "think";
  const ordinal = order.slice(0, place).filter((each) => each === name).length;
  const several = order.filter((each) => each === name).length > 1;
  return several ? `${ORDINALS[ordinal] ?? ""} ${opening(name)}` : opening(name);
}
