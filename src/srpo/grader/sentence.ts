/** What a whole sentence answers: "The circumference of the circle is 8 cm" → 8 cm. */

import { anyWordOf } from "./words";

const MAX_WORDS = 14;
/** Words that turn a statement about the answer into another one: denial, condition, comparison, arithmetic, doubt. */
const ANOTHER_STATEMENT = anyWordOf(`
    not no never none neither nor cannot if unless except when either or but maybe perhaps might may could would
  should possibly probably unlikely wrong incorrect false mistaken other another guess first previous initial half
  twice double triple thrice third quarter square squared cube cubed root times plus minus less more fewer greater
  than least most between opposite reciprocal inverse negative multiple factor divided multiplied added subtracted
  estimate estimated percent percentage what which who how why where`);

/** The text behind the only "is", "are", "was" or "equals" of a plain statement; null where there is none. */
export function sentenceTail(text: string): string | null {
  const parts = text.split(/\s+(?:is|are|was|were|equals|is equal to)\s*:?\s+/i);
  const [subject = "", tail = "", ...more] = parts;
  if (parts.length !== 2 || more.length > 0 || tail === "") return null;
  const words = subject.split(/\s+/);
  if (words.length > MAX_WORDS || ANOTHER_STATEMENT.test(subject) || /n't\b/i.test(subject)) return null;
  if (!/^[A-Za-z∠△,' -]+$/.test(subject)) return null;
  return tail
    .replace(/^(?:equal to|exactly)\s+/i, "")
    .replace(/^(?:option|choice)\s+(?=[A-Z]\b)/i, "")
    .trim();
}
