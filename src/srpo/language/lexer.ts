/** Splits an expression of the reward language into tokens, each with its place in the text. */

/** An expression that is not of the language; `column` counts characters from 1. */
export class ExpressionError extends Error {
  override readonly name = "ExpressionError";

  constructor(
    /** Without the column. */
    readonly reason: string,
    readonly column: number,
  ) {
    super(`column ${column}: ${reason}`);
  }
}

export interface Token {
  readonly kind: "number" | "text" | "name" | "sign" | "end";
  /** As written; of a text without its quotes, escapes resolved. */
  readonly text: string;
  /** Offsets in the expression, `end` exclusive. */
  readonly start: number;
  readonly end: number;
}

/** Longer signs first. */
const SIGNS = [
  "**",
  "==",
  "!=",
  "<=",
  ">=",
  "&&",
  "||",
  "?",
  ":",
  "<",
  ">",
  "!",
  "+",
  "-",
  "*",
  "/",
  "%",
  "^",
] as const;
const BRACKETS = ["(", ")", ","] as const;
const NUMBER = /^(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?/i;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*/;

/** @throws ExpressionError at the first character that begins no token */
export function tokensOf(expression: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const push = (kind: Token["kind"], text: string, end: number): void => {
    tokens.push({ kind, text, start: at, end });
    at = end;
  };
  while (at < expression.length) {
    const rest = expression.slice(at);
    const blank = /^\s+/.exec(rest)?.[0];
    if (blank !== undefined) {
      at += blank.length;
      continue;
    }
    const name = NAME.exec(rest)?.[0];
    const number = NUMBER.exec(rest)?.[0];
    const sign = [...SIGNS, ...BRACKETS].find((each) => rest.startsWith(each));
    if (name !== undefined) push("name", name, at + name.length);
    else if (number !== undefined) push("number", number, at + number.length);
    else if (rest.startsWith('"') || rest.startsWith("'")) push("text", ...quoted(expression, at));
    else if (sign !== undefined) push("sign", sign, at + sign.length);
    else throw new ExpressionError(`${JSON.stringify(rest[0])} is not part of the language${hint(rest)}`, at + 1);
  }
  tokens.push({ kind: "end", text: "", start: at, end: at });
  return tokens;
}

function hint(rest: string): string {
  if (rest.startsWith("=")) return "; to compare, write ==";
  if (rest.startsWith("&")) return "; write and";
  if (rest.startsWith("|")) return "; write or";
  if (/^[“”„‘’]/.test(rest)) return '; write texts in plain quotes, as in "wait"';
  if (/^[−–—]/.test(rest)) return "; write minus as -";
  return "";
}

/** A text in quotes at an offset: its content, and the offset behind it. */
function quoted(expression: string, start: number): [string, number] {
  const quote = expression[start];
  let text = "";
  for (let at = start + 1; at < expression.length; at++) {
    const letter = expression[at] ?? "";
    if (letter === quote) return [text, at + 1];
    if (letter !== "\\") {
      text += letter;
      continue;
    }
    const escaped = expression[++at] ?? "";
    text += escaped === "n" ? "\n" : escaped === "t" ? "\t" : escaped;
  }
  throw new ExpressionError(`a text begins here and does not end: a closing ${quote} is missing`, start + 1);
}
