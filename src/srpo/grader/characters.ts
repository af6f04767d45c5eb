/**
 * One spelling for each character: full-width and CJK forms, dashes, quotes, superscripts, vulgar fractions, signs of
 * operators. What it returns means the same and uses fewer characters.
 */

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const VULGAR: Readonly<Record<string, string>> = {
  "½": "1/2",
  "⅓": "1/3",
  "⅔": "2/3",
  "¼": "1/4",
  "¾": "3/4",
  "⅕": "1/5",
  "⅖": "2/5",
  "⅗": "3/5",
  "⅘": "4/5",
  "⅙": "1/6",
  "⅚": "5/6",
  "⅛": "1/8",
  "⅜": "3/8",
  "⅝": "5/8",
  "⅞": "7/8",
};

/** Canonical characters, single blanks. Line breaks stay: they separate a letter from its wording. */
export function canonicalCharacters(text: string): string {
  return text
    .replace(/[\u200b-\u200f\u2060\ufeff\u00ad]/g, "")
    .replace(/[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+/g, power)
    .replace(/[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]/g, (c) => ` ${VULGAR[c] ?? c} `)
    .replace(/[º˚∘]/g, "°")
    .replace(/[‐‑‒–—―−﹣－]/g, "-")
    .replace(/[“”„«»″〝〞]/g, '"')
    .replace(/[‘’‚′`´]/g, "'")
    .replace(/【([^【】]*)】/g, "($1)")
    .replace(/[、]/g, ",")
    .replace(/[。]/g, ".")
    .normalize("NFKC")
    .replace(/(?<=[\w)])\s*[和与及]\s*(?=[\w(])/g, " and ")
    .replace(/(?<=[\w)])\s*或\s*(?=[\w(])/g, " or ")
    .replace(/⁄/g, "/")
    .replace(/[×⨯]/g, "×")
    .replace(/[·∙⋅•∗]/g, "*")
    .replace(/÷/g, "/")
    .replace(/(\d|\))\s*\*\*\s*(?=[\d(+-])/g, "$1^")
    .replace(/\+\s*\/\s*-|\+-(?=\s*\d)/g, "±")
    .replace(/<=|=<|⩽|≦/g, "≤")
    .replace(/>=|=>|⩾|≧/g, "≥")
    .replace(/!=|=\/=/g, "≠")
    .replace(/≃|≅|≒|~=/g, "≈")
    .replace(/[^\S\n]+/g, " ")
    .replace(/ ?\n\s*/g, "\n")
    .trim();
}

function power(run: string): string {
  const digits = Array.from(run, (c) => (c === "⁻" ? "-" : c === "⁺" ? "" : String(SUPERSCRIPTS.indexOf(c)))).join("");
  return digits.length === 1 ? `^${digits}` : `^(${digits})`;
}
