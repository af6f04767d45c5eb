/** Choice letters: B, (b), B., option B, B. 12 cm; several letters where the truth has several. */

/** The truth as an option: its letter, and its wording where it gives one. */
export interface Option {
  readonly letter: string;
  readonly wording: string | null;
}

/** A truth that is a letter, alone or before its wording ("B. 12 cm"); null for any other truth. */
export function optionOf(truth: string): Option | null {
  const alone = /^[([{]?([A-Za-z])[)\]}]?[.:]?$/.exec(truth)?.[1];
  if (alone !== undefined) return { letter: alone.toUpperCase(), wording: null };
  const [, letter, wording] = /^(?:\(([A-J])\)|([A-J])[.):])\s+(\S.*)$/s.exec(truth)?.filter((part) => part) ?? [];
  return letter === undefined || wording === undefined ? null : { letter, wording };
}

/** Several letters: "AC", "A, C", "A and C"; sorted. Null for one letter, a word, or letters joined by "or". */
export function lettersOf(text: string): string | null {
  const t = text
    .replace(/^(?:options?|choices?)\s+/i, "")
    .replace(/[()[\]{}.]/g, " ")
    .trim();
  if (!/^[A-J](?:(?:\s*(?:,|;|and|&)\s*(?:and )?|\s*)[A-J]){1,7}$/.test(t)) return null;
  const letters = t.replace(/and/g, "").match(/[A-J]/g) ?? [];
  return new Set(letters).size === letters.length ? [...letters].sort().join("") : null;
}

const CHOICE = new RegExp(
  String.raw`^(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)\s*)?[([{]?([A-Za-z])([)\]}])?` +
    String.raw`(?:\s*([.:)])\s*(\S[\s\S]*)?|(\s*,\s*|\s*\n\s*|\s+)(\S[\s\S]*))?$`,
  "i",
);

/** What an answer chooses: letter in upper case, and the wording behind it. Null where it chooses none or several. */
export function choiceOf(text: string): Option | null {
  const match = CHOICE.exec(text);
  const [, letter, closing, mark, labelled, gap, loose] = match ?? [];
  if (letter === undefined) return null;
  const wording = (labelled ?? loose ?? "").trim();
  const option = { letter: letter.toUpperCase(), wording: wording === "" ? null : wording };
  if (wording === "") return option;
  if (namesAnother(wording)) return null;
  if (mark !== undefined || closing !== undefined) return option;
  // Without a mark behind the letter only a figure, or a new line or comma without another letter, can be its wording:
  // "A dog" opens with an article, "A, B" is a list.
  if (/[\n]/.test(gap ?? "")) return option;
  if (/,/.test(gap ?? "")) return /(?:^|[^A-Za-z])[A-J](?:[^A-Za-z]|$)|\b(?:not|no)\b/.test(wording) ? null : option;
  return letter === option.letter &&
    /^-?\s?[\d$€£(\\]/.test(wording) &&
    !/(?:^|[^A-Za-z°])[A-J](?![A-Za-z])/.test(wording)
    ? option
    : null;
}

/** A wording that takes the choice back or adds to it: "or B", "maybe C", "B", "B and C", "(B)". */
function namesAnother(text: string): boolean {
  const wording = text.replace(/^[.:;,)\s]+/, "");
  return (
    /^(?:or|and|nor|but|maybe|perhaps|not|no wait|wait|vs|versus|actually|\/|&|\|)(?:\W|$)/i.test(wording) ||
    (!/II|IV|VI/.test(wording) && /^\(?[A-J]\)?(?:\s*(?:,|;|\/|and|or|&)?\s*\(?[A-J]\)?)*[.:]?$/.test(wording)) ||
    /\b(?:or|nor|but|maybe|perhaps|actually|wait|instead)\b.*(?:^|[^A-Za-z])[A-J](?:[^A-Za-z]|$)/i.test(
      wording.replace(/\b[a-j]\b/g, ""),
    ) ||
    /(?:^|[\s,;])\(?[A-J](?:\)(?=\s|$|\.)|[.:]\s)|(?:^|\s)(?:option|choice|answer)\s+[A-J]\b/.test(wording)
  );
}

/** "(A) 145°", "D: a mirror": the wording without its letter; null where there is no label. */
export function wordingOf(text: string): string | null {
  return /^(?:option\s+|choice\s+)?(?:\([A-J]\)|[A-J][.):](?=\s))\s*(\S[\s\S]*)$/.exec(text)?.[1]?.trim() ?? null;
}
