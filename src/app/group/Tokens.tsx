/** Text as tokens: point at one, tap it, or move with the arrow keys, to see its probability. */
import { Fragment, type ReactNode, useState } from "react";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { hideWhy, showWhy } from "../parts/Why";
import { isGiven } from "../state/given";
import { explainToken, separator } from "../state/tokens";

interface TokensProps {
  readonly sample: SampleRecord;
  readonly at: readonly number[];
  readonly grpo: Settings["grpo"];
  readonly label: string;
  readonly className?: string;
  /** Reachable with Tab: only in the opened row, otherwise there would be dozens of stops. */
  readonly reachable?: boolean;
}

/** Tokens below this probability are underlined: sampling decided there. */
const UNSURE = 0.5;

/** Clauses of at most this many tokens stay on one line: "3 + 5 = 8 ;". */
const LONGEST_CLAUSE = 7;

/** Tokens up to and including a semicolon. */
interface Clause {
  readonly words: readonly number[];
  readonly end: number | null;
}

/** Tokens split after each semicolon, so lines break between statements. */
function clauses(sample: SampleRecord, at: readonly number[]): readonly Clause[] {
  const cut: Clause[] = [];
  let words: number[] = [];
  for (const index of at) {
    if (sample.tokens[index]?.trim() !== ";") {
      words.push(index);
      continue;
    }
    cut.push({ words, end: index });
    words = [];
  }
  return words.length > 0 ? [...cut, { words, end: null }] : cut;
}

export function Tokens({ sample, at, grpo, label, className = "", reachable = false }: TokensProps) {
  const [focused, setFocused] = useState<number | null>(null);
  const between = separator(sample);

  const show = (element: Element | null, index: number): void => {
    if (element) showWhy(explainToken(sample, index, grpo), element);
  };
  const walk = (container: HTMLElement, by: number): void => {
    const place = Math.min(at.length - 1, Math.max(0, focused === null ? 0 : at.indexOf(focused) + by));
    const next = at[place];
    if (next === undefined) return;
    setFocused(next);
    show(container.querySelector(`[data-token="${next}"]`), next);
  };

  const token = (index: number): ReactNode => {
    const given = isGiven(sample, index);
    const mark = given ? " is-given" : Math.exp(sample.logprobs[index] ?? 0) < UNSURE ? " is-unsure" : "";
    return (
      <span data-token={index} className={`token${mark}${focused === index ? " is-focused" : ""}`}>
        {sample.tokens[index]}
      </span>
    );
  };
  return (
    <span
      className={`tokens ${className}`}
      tabIndex={reachable ? 0 : -1}
      role="group"
      aria-label={label}
      aria-describedby="why"
      data-arrows="own"
      onPointerOver={(event) => {
        const token = event.target instanceof HTMLElement ? event.target.dataset.token : undefined;
        if (token !== undefined) show(event.target as HTMLElement, Number(token));
      }}
      onPointerLeave={(event) => {
        if (event.pointerType === "mouse") hideWhy();
      }}
      onClick={(event) => {
        const token = event.target instanceof HTMLElement ? event.target.dataset.token : undefined;
        if (token !== undefined) show(event.target as HTMLElement, Number(token));
      }}
      onBlur={() => {
        setFocused(null);
        hideWhy();
      }}
      onKeyDown={(event) => {
        if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
          walk(event.currentTarget, event.key === "ArrowRight" ? 1 : -1);
          event.preventDefault();
        }
        if (event.key === "Escape") hideWhy();
      }}
    >
      {clauses(sample, at).map(({ words, end }) => (
        <Fragment key={words[0] ?? end}>
          <span className={words.length + (end === null ? 0 : 1) <= LONGEST_CLAUSE ? "clause" : undefined}>
            <span className="clause-words">
              {words.map((index, i) => (
                <Fragment key={index}>
                  {i > 0 && between}
                  {token(index)}
                </Fragment>
              ))}
            </span>
            {words.length > 0 && between}
            {end !== null && (
              <>
                {token(end)}
                {between}
              </>
            )}
          </span>
          <wbr />
        </Fragment>
      ))}
    </span>
  );
}
