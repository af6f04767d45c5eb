/**
 * The closed, ordered list of every word that a question, a solution or a teacher's reflection can hold: one
 * white-space separated word is one token of the nano policy. The tags of the response format, the image and
 * turn markers are special tokens and belong to the tokenizer, not here. The order is part of the shipped
 * checkpoints: append, never reorder.
 */
export const LOWEST_NUMBER = -9;
export const HIGHEST_NUMBER = 81;

/** Every number that can be written: −9 … 81 one by one (81 = 9 · 9), and the tens of angles up to 180. */
export const NUMBERS: readonly number[] = [
  ...Array.from({ length: HIGHEST_NUMBER - LOWEST_NUMBER + 1 }, (_, i) => LOWEST_NUMBER + i),
  ...Array.from({ length: 10 }, (_, i) => 90 + 10 * i),
];

const known: ReadonlySet<number> = new Set(NUMBERS);

/** Whether the number is one word of the vocabulary. */
export function isNumberWord(value: number): boolean {
  return known.has(value);
}

const SIGNS = ["=", ";", "?", "+", "-", "*", "max", "min"];
const SUBJECTS = [
  "A",
  "B",
  "C",
  "D",
  "red",
  "blue",
  "yellow",
  "circles",
  "squares",
  "triangles",
  "left",
  "right",
  "width",
  "height",
  "first",
  "second",
];
const QUESTIONS = ["how", "many", "more", "and", "than", "third", "angle", "perimeter", "value"];
const REFLECTION = ["is", "are", "not", "answer", "steps", "hold", "repeat"];

export const VOCABULARY: readonly string[] = [
  ...SIGNS,
  ...SUBJECTS,
  ...QUESTIONS,
  ...REFLECTION,
  ...NUMBERS.map(String),
];
