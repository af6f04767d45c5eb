/** Brackets and top-level separators of a text. */

const PAIRS: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** The brackets around a whole text, also those of half-open intervals: "()", "[]", "(]", "[)", "{}"; else null. */
export function outerBrackets(text: string): string | null {
  const [open, close] = [text[0] ?? "", text.at(-1) ?? ""];
  if (!/[([{]/.test(open) || !/[)\]}]/.test(close) || (open === "{") !== (close === "}")) return null;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text[at] ?? "";
    if (c in PAIRS) depth++;
    if (/[)\]}]/.test(c) && --depth === 0 && at < text.length - 1) return null;
  }
  return depth === 0 ? open + close : null;
}

/** Split at a separator that stands outside all brackets. */
export function splitTop(text: string, separator: RegExp): readonly string[] {
  const parts: string[] = [];
  const pattern = new RegExp(separator.source, "g");
  const depths = depthAt(text);
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match[0] === "" || depths[match.index + firstInk(match[0])] !== 0) continue;
    parts.push(text.slice(from, match.index));
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

function firstInk(separator: string): number {
  return Math.max(0, separator.search(/\S/));
}

function depthAt(text: string): readonly number[] {
  let depth = 0;
  return Array.from({ length: text.length }, (_, at) => {
    const c = text[at] ?? "";
    if (c in PAIRS) return depth++;
    return /[)\]}]/.test(c) ? --depth : depth;
  });
}
