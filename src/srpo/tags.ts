/** The tags of a response: as words of the nano policy's vocabulary, and where they stand in a text. */
import { PAPER_FORM, type ReflectionForm, triggerPattern } from "./reflectionForm";

/** The paper's tags as words: each is one token of the nano policy's vocabulary. */
export const RESPONSE_TAGS: readonly string[] = ["think", "answer", PAPER_FORM.tag].flatMap((name) => [
  `<${name}>`,
  `</${name}>`,
]);

export type BlockName = "think" | "answer" | "reflection";

/** Where a tag stands; offsets are UTF-16 positions in the text, `end` exclusive. */
export interface Tag {
  readonly name: BlockName;
  readonly closing: boolean;
  readonly start: number;
  readonly end: number;
}

/**
 * The tags of a text in order. Under a trigger, the trigger counts as the opening tag of a reflection, and an empty
 * tag before the next `<think>` as its closing one; without that `<think>` the reflection is not closed.
 */
export function tagsOf(text: string, form: ReflectionForm): readonly Tag[] {
  if (form.kind === "tags") return pairsOf(text, form.tag);
  const pattern = triggerPattern(form.trigger);
  const tags = pairsOf(text, null);
  return tags.flatMap((tag, i) => {
    if (tag.name !== "answer" || !tag.closing) return [tag];
    pattern.lastIndex = tag.end;
    const found = pattern.exec(text);
    if (found === null) return [tag];
    const end = tag.end + found[0].length;
    const opening: Tag = { name: "reflection", closing: false, start: skipSpace(text, tag.end), end };
    const next = tags[i + 1];
    if (next === undefined || next.closing || next.name !== "think") return [tag, opening];
    const close = end + text.slice(end, next.start).trimEnd().length;
    return [tag, opening, { name: "reflection", closing: true, start: close, end: close }];
  });
}

function pairsOf(text: string, reflection: string | null): readonly Tag[] {
  const names = reflection === null ? "think|answer" : `think|answer|${reflection}`;
  return Array.from(text.matchAll(new RegExp(`<(/?)(${names})>`, "g")), (m) => ({
    name: m[2] === "think" || m[2] === "answer" ? m[2] : "reflection",
    closing: m[1] === "/",
    start: m.index,
    end: m.index + m[0].length,
  }));
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text.charAt(at))) at++;
  return at;
}
