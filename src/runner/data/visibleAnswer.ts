/**
 * What a teacher says after its hidden thinking. Reasoning models write their thoughts into the answer, between <think>
 * tags (DeepSeek-R1, QwQ) or with the closing tag alone, the opening one being part of their prompt. These thoughts
 * know the right answer and talk about the task: they must not become the solution that a policy learns.
 */

/** The end of hidden thinking, and where the answer's first block begins after it. */
const HIDDEN_END = /<\/(?:think|thinking|thought|reasoning)>/gi;
const UNREADABLE = "the teacher's blocks could not be parsed";
const OPENING = "<reflection>";
const TAG = /<\/?(?:think|thinking|thought|reasoning|answer|reflection)>/i;

export type VisibleAnswer = { readonly text: string } | { readonly fault: string };

/** The answer from its reflection on, with each block once; or why there is none. */
export function visibleAnswer(text: string): VisibleAnswer {
  const begins = beginning(text);
  if (begins === null) {
    const hidden = /^\s*<(?:think|thinking|thought|reasoning)>/i.test(text);
    const open = hidden && (text.includes(OPENING) || text.search(HIDDEN_END) < 0);
    return { fault: open ? "the teacher's hidden thinking does not end" : UNREADABLE };
  }
  const visible = text.slice(begins);
  const once = ["reflection", "think", "answer"].every(
    (name) => visible.split(`<${name}>`).length === 2 && visible.split(`</${name}>`).length === 2,
  );
  return once ? { text: visible } : { fault: UNREADABLE };
}

/** Where the reflection opens: first of all tags, or behind hidden thinking with words alone between; null: nowhere. */
function beginning(text: string): number | null {
  const first = text.indexOf(OPENING);
  if (first >= 0 && !TAG.test(text.slice(0, first))) return first;
  const ends = [...text.matchAll(HIDDEN_END)].map((match) => match.index + match[0].length);
  for (const end of ends.reverse()) {
    const at = text.indexOf(OPENING, end);
    if (at >= 0 && !TAG.test(text.slice(end, at))) return at;
  }
  return null;
}
