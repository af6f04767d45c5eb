/**
 * What stands around an answer without being part of it: tags, end-of-turn text, boxes, markdown, quotes, and phrases
 * such as "the final answer is". `normalForm` is what the comparison reads.
 */
import { canonicalCharacters } from "./characters";
import { plainLatex } from "./latex";

/** Longest text read as an answer. */
export const MAX_CHARACTERS = 400;

export type NormalForm = { readonly text: string } | { readonly unreadable: string };

/** The answer's text in normal form, or why there is none. */
export function normalForm(text: string): NormalForm {
  if (text.length > 4 * MAX_CHARACTERS && text.trim().length > MAX_CHARACTERS) return tooLong();
  const open = boxed(withoutEndOfTurn(text.replace(/<\/?(?:think|answer|reflection)>/g, " ")));
  if (open === null) return { unreadable: "it gives several boxes that differ, or a box that is never closed" };
  if (open.length > MAX_CHARACTERS) return tooLong();
  const latex = plainLatex(withoutMarkdown(canonicalCharacters(open)));
  if (latex === null) return { unreadable: "its braces do not match" };
  return { text: withoutPhrases(withoutQuotes(asciiNames(latex))) };
}

function tooLong(): NormalForm {
  return { unreadable: `it is longer than ${MAX_CHARACTERS} characters` };
}

const END_OF_TURN = /(?:<\|[A-Za-z_ ]{1,24}\|>|<\/s>|<eos>|<end_of_turn>|<\uff5c[^<>]{1,40}\uff5c>)\s*$/;

function withoutEndOfTurn(text: string): string {
  let rest = text.trim();
  for (let times = 0; times < 8 && END_OF_TURN.test(rest.slice(-64)); times++) {
    rest = (rest.slice(0, -64) + rest.slice(-64).replace(END_OF_TURN, "")).trim();
  }
  return rest;
}

/** Contents of `\boxed{…}` in place of the whole text, where there are boxes; null where they differ. */
function boxed(text: string): string | null {
  const contents = new Set<string>();
  for (const match of text.matchAll(/\\f?box(?:ed)?(?![A-Za-z])/g)) {
    const content = braced(text, match.index + match[0].length);
    if (content === null || contents.size > 1) return null;
    contents.add(content.trim());
  }
  if (contents.size > 1) return null;
  return [...contents][0] ?? text;
}

function braced(text: string, from: number): string | null {
  const start = /^\s*\{/.exec(text.slice(from, from + 16));
  if (!start) return null;
  const first = from + start[0].length;
  for (let depth = 1, i = first; i < text.length; i++) {
    if (text[i] === "{") depth++;
    if (text[i] === "}" && --depth === 0) return text.slice(first, i);
  }
  return null;
}

function withoutMarkdown(text: string): string {
  return text
    .replace(/(^|[\s:(])(\*\*|__)(?!\s)([^*_]+?)\2(?=$|[\s.,;:)])/g, "$1$3")
    .replace(/(^|[\s:(])([*_])(?!\s)([^*_\s][^*_]*)\2(?=$|[\s.,;:)])/g, "$1$3")
    .replace(/<\/?(?:b|i|u|em|strong|p|br) ?\/?>/gi, "")
    .replace(/^`+([^`]*)`+$/, "$1")
    .replace(/^#{1,6} +/, "")
    .trim();
}

function withoutQuotes(text: string): string {
  const quoted = /^(["'])([^"']+)\1([.,;]?)$/.exec(text);
  return (quoted?.[2] ?? text).trim();
}

/** Names of mathematics that LaTeX and keyboards spell differently. */
function asciiNames(text: string): string {
  return text
    .replace(/(?<![A-Za-z])pi(?![A-Za-z])/gi, "π")
    .replace(/(?<![A-Za-z])(?:infinity|infty|inf)(?![A-Za-z])/gi, "∞")
    .replace(/°\s+(?=[CF](?![A-Za-z]))/g, "°")
    .replace(/(^|[,([;]\s*)\+\s*∞/g, "$1∞")
    .replace(/^(?:negative|minus)\s+(?=[\d.(])/i, "-")
    .replace(/(?<![A-Za-z])theta(?![A-Za-z])/g, "θ")
    .replace(/(?<![A-Za-z])(?:degrees?|degs?) (?:celsius|c)(?![A-Za-z])/gi, "°C")
    .replace(/(?<![A-Za-z])(?:degrees?|degs?) (?:fahrenheit|f)(?![A-Za-z])/gi, "°F")
    .replace(/[^\S\n]+/g, " ")
    .trim();
}

const LEAD_INS: readonly RegExp[] = [
  /^(?:so|thus|therefore|hence|finally|then)\s*,?\s+(?=\S)/i,
  /^(?:(?:my|the|our)\s+)?(?:final\s+|correct\s+|right\s+)*(?:answer|choice)\s*(?:is\s*:?|:|=)\s*/i,
  /^(?:答案|正确答案)\s*(?:是|为|:)?\s*:?\s*/,
  /^(?:故|因此|所以|应)?\s*选(?:择|项)?\s*:?\s*(?=[A-Za-z(])/,
  /^(?:it is|it's|i (?:choose|pick|select))\s+(?=\S)/i,
];

/** Without "the answer is", "hence", "is the answer", and a full stop or semicolon at the end. */
function withoutPhrases(text: string): string {
  let rest = text;
  for (let times = 0; times < 4; times++) {
    const before = rest;
    for (const lead of LEAD_INS) rest = rest.replace(lead, "");
    rest = rest.replace(
      /\s+is (?:the )?(?:final |correct |right )?(?:answer|choice|option|correct|right)\s*[.!]?$/i,
      "",
    );
    rest = withoutQuotes(rest.replace(/(?<!\.)[.;]\s*$|(?<=[A-Za-z]{2})!\s*$/, "").trim());
    if (rest === before) break;
  }
  return rest;
}
