/** Texts compared as words, and numbers written as words. */

/** Any of these words, or patterns of words, standing alone; a list with blanks between. */
export function anyWordOf(words: string): RegExp {
  return new RegExp(`\\b(?:${words.trim().split(/\s+/).join("|")})\\b`, "i");
}

const ONES = `zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
  seventeen eighteen nineteen`.split(/\s+/);
const TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/** The value of "five", "twenty-one", "negative three hundred and four"; null where any other word stands there. */
export function numberInWords(text: string): number | null {
  const words = text.toLowerCase().replace(/-/g, " ").trim().split(/\s+/);
  const negative = words[0] === "negative" || words[0] === "minus";
  if (negative) words.shift();
  if (words.length === 0 || words.length > 8) return null;
  let [total, current, last] = [0, 0, ""];
  for (const word of words) {
    const [one, ten] = [ONES.indexOf(word), TENS.indexOf(word)];
    if (one >= 0) {
      // Ones follow nothing, a ten ("twenty one", below ten only) or a hundred; "eight nine" is two numbers.
      if (last === "one" || (last === "ten" && (one === 0 || one > 9))) return null;
      current += one;
      last = "one";
    } else if (ten >= 0) {
      if (last === "one" || last === "ten") return null;
      current += 20 + 10 * ten;
      last = "ten";
    } else if (word === "hundred") {
      if (last !== "one" || current === 0 || current > 9) return null;
      current *= 100;
      last = word;
    } else if (word === "thousand" || word === "million") {
      if (last === "" || current === 0) return null;
      total += current * (word === "thousand" ? 1000 : 1e6);
      current = 0;
      last = word;
    } else if (word === "and") {
      if (last !== "hundred" && last !== "thousand") return null;
      last = "and";
    } else return null;
  }
  return last === "and" ? null : (negative ? -1 : 1) * (total + current);
}

const PARTS = ["half", "third", "quarter", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

const CHINESE_DIGITS = "零一二三四五六七八九";

/** The value of 四, 十二, 三十 or 四十五; null for anything else. */
export function chineseNumeral(text: string): number | null {
  const [, tens, ten, ones] = /^([二三四五六七八九]?)(十?)([零一二三四五六七八九]?)$/.exec(text) ?? [];
  if (text === "" || tens === undefined || (tens !== "" && ten === "" && ones !== "")) return null;
  if (ten !== "" && ones === "零") return null;
  const digit = (of: string | undefined): number => (of ? CHINESE_DIGITS.indexOf(of) : 0);
  return ten === "" ? digit(tens || ones) : 10 * (tens === "" ? 1 : digit(tens)) + digit(ones);
}

/** "two-thirds" → [2, 3], "half" and "a half" → [1, 2]; null for anything else. */
export function fractionInWords(text: string): readonly [number, number] | null {
  if (/^half$/i.test(text)) return [1, 2];
  const [, count = "", part = ""] = /^(\w+)[ -](\w+)$/.exec(text.toLowerCase()) ?? [];
  const at = PARTS.indexOf(
    part
      .replace(/^halves$/, "half")
      .replace(/s$/, "")
      .replace(/^fourth$/, "quarter"),
  );
  const top = count === "a" ? 1 : /\d/.test(count) ? null : numberInWords(count);
  return at < 0 || top === null ? null : [top, at + 2];
}

/** Lower case, one blank between words, no leading article, no dots in initials and in a.m. or p.m. */
export function plainWords(text: string): string {
  return text
    .replace(/\^\(?(\d*[+-])(?:\)|$)/g, "$1")
    .replace(/_(?=\d|[A-Za-z]\b)/g, "")
    .replace(/([ap])\.\s?m\.?(?![A-Za-z])/gi, "$1m")
    .replace(/(?<![A-Za-z])([A-Za-z])\.\s?(?=[A-Za-z](?![A-Za-z]))/g, "$1")
    .replace(/\s*([/<>=≤≥&+:])\s*/g, "$1")
    .replace(/\s*-\s*/g, "-")
    .toLowerCase()
    .replace(/^(?:the|an|a)\s+(?=\S{2})/, "")
    .replace(/\s+/g, " ")
    .replace(/[.,;]$|(?<=[a-z]{2})!$/, "")
    .trim();
}

/** Texts that name the same thing: equal words; "in 2014" and "year 2014" for 2014; "Yes, it is" for "Yes". */
export function sameWords(given: string, wanted: string): boolean {
  const [a, b] = [plainWords(given), plainWords(wanted)];
  if (b === "") return false;
  if (a === b) return withoutSpaces(given) === withoutSpaces(wanted) || isWordy(b);
  if (/^(?:1|2)\d{3}$/.test(b) && a === a.replace(/\d+$/, b) && /^(?:in )?(?:the )?(?:year )?\d{4}$/.test(a))
    return true;
  return yesOrNo(a) !== null && yesOrNo(a) === b;
}

function withoutSpaces(text: string): string {
  return text.replace(/\s+/g, "").replace(/[_.]/g, "");
}

/** Case means nothing in words; it does in formulas and units: 5 MW, 5 mW; CO, Co; πr², πR². */
function isWordy(text: string): boolean {
  if (/^[-+]?[\d.].*[A-Za-z]{1,5}$/.test(text) && !/[A-Za-z]{6}/.test(text)) return false;
  return /[A-Za-z]{3}/.test(text) || !/[\d^*/+=<>≤≥π√()_|]/.test(text);
}

/** "yes" or "no" where an answer opens with it and then says nothing against it. */
function yesOrNo(text: string): "yes" | "no" | null {
  const match = /^(yes|no)\s*[,.;:!]\s*(.+)$/.exec(text);
  if (!match) return null;
  const against =
    match[1] === "yes" ? /\b(?:no|not|never|neither|but|or|maybe)\b|n't\b/ : /\b(?:yes|but|or|maybe)\b|^it is(?! not)/;
  return against.test(match[2] ?? "") ? null : match[1] === "yes" ? "yes" : "no";
}
