/**
 * Two graders of an answer against the true one; which one judged is always named.
 *
 * `exact`: what the released scorer's rows were graded by: string equality after removing `$`, `\boxed{}`, tags and
 * outer spaces. The official variants use it.
 * `equivalent`: same meaning, one answer only. Its rules, tried on both texts after `plain` has removed the wrapping:
 * - letters: `B`, `(b)`, `B.`, `option B`, `B. 12 cm` are the choice B; two choices ("A or B or C", "A, B") are none;
 * - numbers by exact value: 0.5 = 1/2 = .50; 1,234 = 1234; 1/3 = 0.333 (three places or more, cut or rounded);
 * - percent: 50 % = 0.5; where only one side writes %, its face value counts too if above 1 (50 % against 50);
 * - units: may be missing on one side; on both they must be of one kind, known ones are converted (5 m = 500 cm);
 * - `x = 8` and "the answer is 8" answer 8; lists are compared member by member, and only where the truth is a list;
 * - anything else: same words, without case.
 * Where there is a `\boxed{}`, it is the answer and the text around it is not read; boxes with different contents, or
 * an answer over 200 characters, are no answer.
 */
import { exceedsOne, parseNumber, type Rational, sameValue, times, timesPowerOfTen } from "./number";
import { readUnit, sameUnit, type Unit } from "./unit";

export type GraderName = "equivalent" | "exact";

const MAX_CHARACTERS = 200;

/** Is `response` (the text of an answer block) right? False for null or a blank answer. */
export function isRight(response: string | null, truth: string, grader: GraderName): boolean {
  if (response === null || response.trim() === "") return false;
  return grader === "exact" ? bareString(response) === bareString(truth) : isEquivalent(response, truth);
}

function isEquivalent(response: string, truth: string): boolean {
  if (response.length > MAX_CHARACTERS) return false;
  const given = plain(response);
  const wanted = plain(truth);
  if (given === null || wanted === null || given === "") return false;
  const choice = choiceOf(wanted);
  if (choice !== null && /^\(?[A-Za-z]\)?[.:]?$/.test(wanted)) return choiceOf(given) === choice;
  const wantedList = members(wanted);
  const givenList = members(given);
  if (wantedList.length !== givenList.length) return false;
  return wantedList.every((member, i) => sameAnswer(givenList[i] ?? "", member));
}

function sameAnswer(given: string, wanted: string): boolean {
  const truth = quantityOf(wanted);
  if (!truth) return words(given) === words(wanted);
  const answer = quantityOf(given);
  if (!answer) return false;
  const unit = sameUnit(answer.unit, truth.unit);
  if (unit === null) return false;
  const [a, b] = [times(answer.value, unit.left), times(truth.value, unit.right)];
  if (answer.percent && truth.percent) return sameValue(a, b);
  if (!answer.percent && !truth.percent) return sameValue(a, b);
  const [share, bare] = answer.percent ? [a, b] : [b, a];
  return sameValue(timesPowerOfTen(share, -2), bare) || (exceedsOne(share) && sameValue(share, bare));
}

interface Quantity {
  readonly value: Rational;
  readonly percent: boolean;
  readonly unit: Unit | null;
}

/** A number with an optional sign of currency before it, and an optional percent sign or unit after it. */
function quantityOf(text: string): Quantity | null {
  const currency = /^([-+]?)\s*([€£¥])\s*(.+)$/.exec(text);
  const body = currency ? `${currency[1] ?? ""}${currency[3] ?? ""}` : text;
  const bare = parseNumber(body);
  if (bare) return { value: bare, percent: false, unit: currency?.[2] ? readUnit(currency[2]) : null };
  const split = /^(.*?\d\.?\)?)\s*(%|percent|per cent|[^\d\s%./].*)$/i.exec(body);
  const value = split?.[1] === undefined ? null : parseNumber(split[1]);
  if (!value || split?.[2] === undefined || currency) return null;
  if (/^(%|percent|per cent)$/i.test(split[2])) return { value, percent: true, unit: null };
  const unit = readUnit(split[2]);
  return unit && { value, percent: false, unit };
}

/**
 * The letter an answer chooses, upper case; null where it chooses none or more than one. Text after the letter is its
 * option's wording, which may not name another option.
 */
function choiceOf(text: string): string | null {
  const match = /^(?:option|choice|answer)?\s*[([]?([A-Za-z])[)\]]?(?:\s*[.:)]\s*(\S.*)|\.|:)?$/i.exec(text);
  const letter = match?.[1];
  if (letter === undefined) return null;
  const wording = match?.[2] ?? "";
  if (/(^|[^A-Za-z0-9])[A-Z]([^A-Za-z0-9]|$)/.test(wording) || /\bor\b/i.test(wording)) return null;
  return letter.toUpperCase();
}

/** Members of a list: separated by commas (not those inside 1,234) or semicolons; outer brackets go with them. */
function members(text: string): readonly string[] {
  const inner = /^[([{].*[,;].*[)\]}]$/.test(text) ? text.slice(1, -1) : text;
  if (quantityOf(inner)) return [inner];
  return inner.split(/\s*[,;]\s*/).map((m) => m.trim());
}

function words(text: string): string {
  return text.toLowerCase().replace(/\s+/g, " ").replace(/\.$/, "").trim();
}

/** The answer without tags, mathematics signs, boxes and phrases around it; null where two boxes disagree. */
function plain(text: string): string | null {
  const open = boxed(text.replace(/<\/?(?:think|answer|reflection)>/g, " "));
  if (open === null) return null;
  const t = open
    .replace(/[−–]/g, "-")
    .replace(/\\(?:text|mathrm|mathbf|textbf|operatorname)\s*\{([^{}]*)\}/g, " $1 ")
    .replace(/(\d)\s*\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}/g, "$1 $2/$3")
    .replace(/\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}/g, "$1/$2")
    .replace(/\\[dt]?frac\s*(\d)\s*(\d)/g, "$1/$2")
    .replace(/\s*\^\s*\{?\s*\\circ\s*\}?|°/g, " degrees ")
    .replace(/\\left|\\right|\\[,!;:]|\\[()[\]]|\$|\\$/g, " ")
    .replace(/\{,\}/g, ",")
    .replace(/\\%/g, "%")
    .replace(/\s+/g, " ")
    .trim()
    .replace(
      /^(?:so |thus |therefore,? )?(?:(?:the )?(?:final |correct )?answer(?: is|:| =)|[A-Za-z]\s*=(?!=))\s*:?\s*/i,
      "",
    )
    .replace(/^\(([^(),;]{2,}|\d)\)$/, "$1");
  return t.trim();
}

/** Contents of `\boxed{…}` in place of the whole text, where there are boxes; null where they differ. */
function boxed(text: string): string | null {
  const contents = new Set<string>();
  for (let at = text.indexOf("\\boxed"); at >= 0; at = text.indexOf("\\boxed", at + 1)) {
    const content = braced(text, at + "\\boxed".length);
    if (content === null) return null;
    contents.add(content.trim());
  }
  if (contents.size > 1) return null;
  return [...contents][0] ?? text;
}

function braced(text: string, from: number): string | null {
  const start = text.indexOf("{", from);
  if (start < 0 || text.slice(from, start).trim() !== "") return null;
  for (let depth = 0, i = start; i < text.length; i++) {
    if (text[i] === "{") depth++;
    if (text[i] === "}" && --depth === 0) return text.slice(start + 1, i);
  }
  return null;
}

/** The released rows' reading of an answer. */
function bareString(text: string): string {
  const t = text
    .replace(/<[^<>]*>/g, "")
    .replaceAll("$", "")
    .trim();
  const box = /^\\boxed\{([\s\S]*)\}$/.exec(t);
  return (box?.[1] ?? t).trim();
}
