/**
 * Expressions as people write them, as a tree: `2x^2y` is 2·x²·y, `sin 2x` is sin(2·x). Null where the text is no
 * expression: words, open brackets, two numbers in a row. Recursive descent over a bounded number of tokens at a
 * bounded depth; nothing of the text is ever run.
 */

const MAX_TOKENS = 160;
const MAX_DEPTH = 24;
/** Significant digits of a number; more of them approximate an irrational number instead of naming it. */
const MAX_DIGITS = 11;

const FUNCTION_NAMES = /^(arcsin|arccos|arctan|sqrt|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|abs)/;
const WORDS =
  /^(?:or|and|is|to|of|in|at|no|not|if|the|yes|as|by|on|an|are|but|per|red|one|two|six|ten|my|it|vec|bar|hat)$/i;

export type Node =
  | { readonly op: "number"; readonly digits: string }
  | { readonly op: "constant"; readonly name: string }
  | { readonly op: "variable"; readonly name: string }
  | { readonly op: "call"; readonly name: string; readonly argument: Node }
  | { readonly op: "negate"; readonly operand: Node }
  | { readonly op: "+" | "-" | "*" | "/" | "^"; readonly left: Node; readonly right: Node };

export interface Expression {
  readonly tree: Node;
  readonly variables: readonly string[];
  /** Tokens: what evaluating it once costs. */
  readonly size: number;
}

export function parseExpression(text: string): Expression | null {
  const tokens = tokensOf(text);
  if (tokens === null || tokens.length === 0 || tokens.length > MAX_TOKENS) return null;
  const parser = new Parser(tokens);
  const tree = parser.whole();
  if (tree === null) return null;
  const variables = [...new Set(tokens.flatMap(variableOf))].sort();
  return { tree, variables, size: tokens.length };
}

/** The variable that a token names, also as the base of a logarithm. */
function variableOf({ kind, text }: Token): readonly string[] {
  const base = /^log_([A-Za-z])$/.exec(text)?.[1];
  if (kind === "function") return base === undefined || base === "e" ? [] : [base];
  return kind === "variable" ? [text] : [];
}

interface Token {
  readonly kind: "number" | "variable" | "function" | "constant" | "sign";
  readonly text: string;
}

function tokensOf(text: string): readonly Token[] | null {
  const tokens: Token[] = [];
  let rest = text.replace(/\s+/g, " ").trim();
  while (rest !== "") {
    const number = /^(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?|^\.\d+/.exec(rest)?.[0];
    const word = /^[A-Za-z]+/.exec(rest)?.[0];
    if (number !== undefined) {
      const digits = number.replaceAll(",", "");
      if (digits.replace(/^0?\.0*|\./g, "").length > MAX_DIGITS && digits.includes(".")) return null;
      if (digits.length > 30) return null;
      tokens.push({ kind: "number", text: digits });
      rest = rest.slice(number.length);
    } else if (word !== undefined) {
      const function_ = FUNCTION_NAMES.exec(word)?.[0];
      if (function_ !== undefined) {
        const base = function_ === "log" ? /^log ?_\(?(\d{1,6}|[A-Za-z])\)?/.exec(rest) : null;
        tokens.push({ kind: "function", text: base ? `log_${base[1]}` : function_ });
        rest = rest.slice((base?.[0] ?? function_).length);
        continue;
      }
      if (word.length > 3 || WORDS.test(word)) return null;
      const subscript = /^_(?:[A-Za-z0-9]{1,3})/.exec(rest.slice(word.length))?.[0] ?? "";
      for (const [at, letter] of Array.from(word).entries()) {
        const name = at === word.length - 1 ? letter + subscript : letter;
        tokens.push(
          letter === "e" && name === "e" ? { kind: "constant", text: "e" } : { kind: "variable", text: name },
        );
      }
      rest = rest.slice(word.length + subscript.length);
    } else {
      const c = Array.from(rest)[0] ?? "";
      if (c === "π") tokens.push({ kind: "constant", text: "pi" });
      else if (/[α-ωΔΓΣΦΘΛ]/.test(c)) {
        const subscript = /^_[A-Za-z0-9]{1,3}/.exec(rest.slice(1))?.[0] ?? "";
        tokens.push({ kind: "variable", text: `g${c.codePointAt(0) ?? 0}${subscript}` });
        rest = rest.slice(subscript.length);
      } else if (/[-+*/^()!|°[\]×]/.test(c)) {
        const sign = c === "×" ? "*" : c === "[" ? "(" : c === "]" ? ")" : c;
        tokens.push({ kind: "sign", text: sign });
      } else if (c !== " ") return null;
      rest = rest.slice(c.length);
    }
  }
  return tokens;
}

/** Each method returns the tree of what it read, or null where the tokens do not fit. */
class Parser {
  #at = 0;
  #depth = 0;
  #bars = 0;
  /** The last thing read was a divisor without brackets around its quotient. */
  #divided = false;
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Node | null {
    const tree = this.#sum();
    return this.#at === this.#tokens.length ? tree : null;
  }

  #sign(...wanted: readonly string[]): string | null {
    const token = this.#tokens[this.#at];
    return token?.kind === "sign" && wanted.includes(token.text) ? token.text : null;
  }

  #sum(): Node | null {
    if (++this.#depth > MAX_DEPTH) return null;
    let left = this.#product();
    for (let sign = this.#sign("+", "-"); left !== null && sign !== null; sign = this.#sign("+", "-")) {
      this.#at++;
      const right = this.#product();
      left = right && binary(sign, left, right);
    }
    this.#depth--;
    return left;
  }

  #product(): Node | null {
    let left = this.#signed();
    this.#divided = false;
    while (left !== null) {
      const sign = this.#sign("*", "/");
      if (sign !== null) this.#at++;
      else if (!this.#startsFactor()) break;
      // a/bc is (a/b)c to some and a/(bc) to others; 1/2x is x/2.
      else if (left.op === "/" && this.#divided && !isNumber(left)) return null;
      const right: Node | null = sign !== null ? this.#signed() : this.#power();
      left = right && binary(sign ?? "*", left, right);
      this.#divided = sign === "/";
    }
    return left;
  }

  /** Something stands next without an operator; a number never does: "x 2" and "3 4" are no products. */
  #startsFactor(): boolean {
    const token = this.#tokens[this.#at];
    if (!token || token.kind === "number") return false;
    return token.kind !== "sign" || token.text === "(" || (token.text === "|" && this.#bars === 0);
  }

  #signed(): Node | null {
    const sign = this.#sign("+", "-");
    if (sign === null) return this.#power();
    // Two signs in a row are a dash or a slip more often than a double negation.
    if (this.#tokens[this.#at + 1]?.text === sign) return null;
    if (++this.#depth > MAX_DEPTH) return null;
    this.#at++;
    const inner = this.#signed();
    this.#depth--;
    return inner && sign === "-" ? { op: "negate", operand: inner } : inner;
  }

  #power(): Node | null {
    const base = this.#postfix();
    if (base === null || this.#sign("^") === null) return base;
    if (++this.#depth > MAX_DEPTH) return null;
    this.#at++;
    const exponent = this.#sign("+", "-") === null ? this.#power() : this.#signed();
    this.#depth--;
    return exponent && binary("^", base, exponent);
  }

  #postfix(): Node | null {
    let base = this.#primary();
    for (let sign = this.#sign("!", "°"); base !== null && sign !== null; sign = this.#sign("!", "°")) {
      this.#at++;
      base = sign === "!" ? { op: "call", name: "factorial", argument: base } : binary("*", base, RADIANS);
    }
    return base;
  }

  #primary(): Node | null {
    const token = this.#tokens[this.#at];
    if (!token) return null;
    this.#at++;
    if (token.kind === "function") return this.#application(token.text);
    if (token.kind === "number") return { op: "number", digits: token.text };
    // f(x) is a function's value, which nothing here knows.
    if (token.kind === "variable" && /^[fgh]$/.test(token.text) && this.#sign("(") !== null) return null;
    if (token.kind !== "sign") return { op: token.kind, name: token.text };
    if (token.text === "(") {
      const inner = this.#sum();
      if (inner === null || this.#sign(")") === null) return null;
      this.#at++;
      return inner;
    }
    if (token.text !== "|") return null;
    this.#bars++;
    const inner = this.#sum();
    if (inner === null || this.#sign("|") === null) return null;
    this.#bars--;
    this.#at++;
    return { op: "call", name: "abs", argument: inner };
  }

  /** `sin(x)`, `sin x`, `sin 2x`, `sin^2 x`: without brackets the argument is the product that follows. */
  #application(name: string): Node | null {
    let exponent: Node | null = null;
    if (this.#sign("^") !== null) {
      this.#at++;
      exponent = this.#primary();
      // sin^-1 means arcsin to some and 1/sin to others.
      if (exponent === null || exponent.op === "negate") return null;
    }
    const argument = this.#sign("(") !== null ? this.#postfix() : this.#bareArgument();
    if (argument === null) return null;
    const call = called(name, argument);
    return exponent === null ? call : binary("^", call, exponent);
  }

  #bareArgument(): Node | null {
    let argument = this.#power();
    while (argument !== null && this.#tokens[this.#at]?.kind !== "function" && this.#startsFactor()) {
      if (this.#sign("(") !== null) break;
      const next: Node | null = this.#power();
      argument = next && binary("*", argument, next);
    }
    return argument;
  }
}

/** A logarithm with a base is a quotient: log_b x = ln x / ln b. */
function called(name: string, argument: Node): Node {
  const base = name.startsWith("log_") ? name.slice("log_".length) : null;
  if (base === null) return { op: "call", name, argument };
  const of: Node =
    base === "e"
      ? { op: "constant", name: "e" }
      : /\d/.test(base)
        ? { op: "number", digits: base }
        : { op: "variable", name: base };
  return binary("/", { op: "call", name: "ln", argument }, { op: "call", name: "ln", argument: of });
}

const RADIANS: Node = binary("/", { op: "constant", name: "pi" }, { op: "number", digits: "180" });

function isNumber(node: Node): boolean {
  const digits = (part: Node): boolean =>
    part.op === "number" || (part.op === "negate" && part.operand.op === "number");
  return node.op === "/" && digits(node.left) && digits(node.right);
}

function binary(op: string, left: Node, right: Node): Node {
  if (op !== "+" && op !== "-" && op !== "*" && op !== "/" && op !== "^")
    throw new RangeError(`Unknown operator ${op}.`);
  return { op, left, right };
}
