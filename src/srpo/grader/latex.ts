/**
 * LaTeX to plain infix text: `\frac{1}{2}` → (1/2), `\sqrt{5}` → sqrt(5), `x^{2}` → x^2, `\text{cm}` → cm. A command it
 * does not know stays with its backslash, so that the text compares as text and never as an expression.
 */

/** Deepest nesting of groups; beyond it the text is no answer. */
const MAX_DEPTH = 20;

/** Commands and the characters they stand for, in pairs. */
const SYMBOLS: ReadonlyMap<string, string> = new Map(
  `cdot * ast * times × div / pm ± mp ∓ le ≤ leq ≤ leqslant ≤ ge ≥ geq ≥ geqslant ≥ lt < gt > ne ≠ neq ≠
  approx ≈ simeq ≈ infty ∞ pi π degree ° circ ° angle ∠ measuredangle ∠ triangle △ cup ∪ cap ∩ in ∈ colon :
  ldots ... dots ... cdots ... prime ' mid | vert | lvert | rvert | parallel ∥ perp ⊥ sim ∼ emptyset ∅
  varnothing ∅ setminus ∖ mu μ Omega Ω lbrace { rbrace } lbrack [ rbrack ] to → rightarrow → cent ¢ pounds £
  euro € yen ¥ theta θ alpha α beta β gamma γ delta δ epsilon ε varepsilon ε lambda λ rho ρ sigma σ tau τ phi φ
  varphi φ omega ω psi ψ eta η xi ξ Delta Δ Gamma Γ Sigma Σ Phi Φ Theta Θ Lambda Λ`
    .split(/\s+/)
    .flatMap((name, at, all): [string, string][] => (at % 2 === 0 ? [[name, all[at + 1] ?? ""]] : [])),
);
const FUNCTIONS = /^(sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|ln|log|lg|exp|min|max|gcd|det)$/;
const DRESS = new Set(
  `text textbf textit textrm textsf texttt textnormal mathrm mathbf mathit mathsf mathbb boldsymbol bm operatorname mbox
  hbox emph underline`.split(/\s+/),
);
const SILENT = new Set(
  `left right therefore because big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr displaystyle textstyle
  rm bf it limits nolimits mathord`.split(/\s+/),
);

/** Plain text of an answer with LaTeX in it; null where groups are left open or nested too deep. */
export function plainLatex(text: string): string | null {
  const bare = text
    .replace(/\\begin\s*\{(p|b|B|)matrix\}([\s\S]*?)\\end\s*\{\1matrix\}/g, (_, _kind, body: string) => matrix(body))
    .replace(/\\[()[\]](?![A-Za-z])/g, " ")
    .replace(/√\s*(\d+(?:\.\d+)?|\([^()]*\)|[A-Za-z])/g, (_, inner: string) => `\\sqrt{${inner}}`);
  try {
    return new Converter(dollars(bare)).all();
  } catch (error) {
    if (error instanceof UnreadableLatex) return null;
    throw error;
  }
}

class UnreadableLatex extends Error {}

/** `$…$` and `$$…$$` are mathematics; a lone `$` before a number is money. */
function dollars(text: string): string {
  return text
    .replace(/\\\$/g, "\u0001")
    .replace(/\$\$([^$]*)\$\$/g, " $1 ")
    .replace(/\$([^$]+)\$(?!\s*\d)/g, " $1 ")
    .replaceAll("\u0001", "$");
}

function matrix(body: string): string {
  const rows = body.split(/\\\\/).filter((row) => row.trim() !== "");
  return `[${rows.map((row) => `[${row.split("&").join(",")}]`).join(",")}]`;
}

/** One pass over the text; each method returns plain text and moves past what it read. */
class Converter {
  #at = 0;
  #depth = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  all(): string {
    const out = this.#until(null);
    return out.replace(/[^\S\n]+/g, " ").trim();
  }

  #until(end: string | null): string {
    if (++this.#depth > MAX_DEPTH) throw new UnreadableLatex();
    let out = "";
    let over: string | null = null;
    for (;;) {
      const c = this.#text[this.#at];
      if (c === undefined || c === end) {
        if (c === undefined && end !== null) throw new UnreadableLatex();
        this.#at++;
        break;
      }
      if (c === "}") throw new UnreadableLatex();
      this.#at++;
      if (c === "\\") {
        const command = this.#command();
        if (command === "over") {
          over = out;
          out = "";
        } else out += this.#spelled(command, out);
      } else if (c === "{") out += bareGroup(this.#until("}"));
      else if (c === "^") out += raised(this.#argument());
      else if (c === "_") {
        out += `_${this.#argument().replace(/\s+/g, "")}`;
        // x_{1}2 is not x_{12}.
        if (/\d/.test(this.#text[this.#at] ?? "")) out += " ";
      } else if (c === "~") out += " ";
      else out += c;
    }
    this.#depth--;
    return over === null ? out : quotient(over, out);
  }

  #command(): string {
    const name = /^[A-Za-z]+/.exec(this.#text.slice(this.#at, this.#at + 30))?.[0] ?? this.#text[this.#at] ?? "";
    this.#at += name.length;
    return name;
  }

  #spelled(command: string, before: string): string {
    if (/^[dtc]?frac$/.test(command)) {
      const fraction = [this.#argument(), this.#argument()] as const;
      const simple = fraction.every((part) => /^\d+$/.test(part));
      // A digit before a simple fraction makes a mixed number.
      return simple && /(?:^|[^\w.^])\d+\s*$/.test(before)
        ? ` ${fraction.join("/")}`
        : quotient(fraction[0], fraction[1]);
    }
    if (command === "sqrt") return this.#root();
    if (DRESS.has(command)) {
      const inner = this.#argument(false);
      return /(?<![\w.])[\d.,]+\s*$/.test(before) && /^[A-Za-z]/.test(inner) ? ` ${inner}` : inner;
    }
    if (/^(overline|bar|dot|vec|overrightarrow|hat|widehat|overset)$/.test(command))
      return `${command}(${this.#argument()})`;
    if (SILENT.has(command)) return this.#text[this.#at] === "." ? this.#skip() : "";
    if (FUNCTIONS.test(command)) return ` ${command.replace("lg", "log")} `;
    const symbol = SYMBOLS.get(command);
    if (symbol !== undefined) return symbol;
    if (/^(quad|qquad|,|;|:|!| |\n|enspace|thinspace|\\)?$/.test(command)) return " ";
    if (/^[%$#&_{}|]$/.test(command)) return command;
    return `\\${command} `;
  }

  #skip(): string {
    this.#at++;
    return "";
  }

  #root(): string {
    const degree = /^\s*\[([^[\]]{1,10})\]/.exec(this.#text.slice(this.#at, this.#at + 16));
    if (degree) this.#at += degree[0].length;
    const inner = this.#argument();
    return degree ? `((${inner})^(1/(${degree[1] ?? ""})))` : `sqrt(${inner})`;
  }

  /** A group in braces, a command, or one character. */
  #argument(trimmed = true): string {
    while (this.#text[this.#at] === " ") this.#at++;
    const c = this.#text[this.#at];
    if (c === undefined || c === "}") throw new UnreadableLatex();
    this.#at++;
    if (c === "{") return trimmed ? this.#until("}").trim() : this.#until("}");
    if (++this.#depth > MAX_DEPTH) throw new UnreadableLatex();
    const argument = c === "\\" ? this.#spelled(this.#command(), "").trim() : this.#plainArgument(c);
    this.#depth--;
    return argument;
  }

  /** Plain text writes `2^10`, `x^-1` and `x_12`, and brackets a longer exponent; LaTeX means one character. */
  #plainArgument(c: string): string {
    const before = this.#text[this.#at - 2];
    if (before === "^" || before === "_") {
      const rest = /^(?:[+-]?\d+|\([^()]{1,40}\))/.exec(this.#text.slice(this.#at - 1, this.#at + 42))?.[0];
      if (rest !== undefined) {
        this.#at += rest.length - 1;
        return rest.replace(/^\((.*)\)$/, "$1");
      }
    }
    return c;
  }
}

/** Whether a text stands as one factor without brackets. */
function isAtom(text: string): boolean {
  return /^(?:\d+(?:\.\d+)?|[A-Za-zπθ])$/.test(text);
}

function quotient(top: string, bottom: string): string {
  const [a, b] = [top.trim(), bottom.trim()];
  return `(${isAtom(a) ? a : `(${a})`}/${isAtom(b) ? b : `(${b})`})`;
}

function raised(exponent: string): string {
  const inner = exponent.trim();
  if (inner === "°") return "°";
  if (inner === "'" || inner === "''") return inner;
  return /^(?:\d+|[A-Za-z])$/.test(inner) ? `^${inner}` : `^(${inner})`;
}

/** Braces of a set stay where there are several members; otherwise they only group. */
function bareGroup(inner: string): string {
  if (inner.trim() === ",") return ",";
  if (/[,;]/.test(inner)) return `{${inner}}`;
  return /[+\-*/=<>^ ]/.test(inner.trim()) ? `(${inner})` : inner;
}
