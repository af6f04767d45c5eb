/**
 * Every number answers "why?": on hover, focus or tap a small card shows the formula, the same formula with this
 * row's numbers, and the sentence in words. One card for the whole page; targets only say what it should contain.
 */
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";
import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";

export interface Explanation {
  readonly title: string;
  readonly formula?: string;
  /** The formula with this row's numbers. */
  readonly numbers?: string;
  readonly sentence: string;
}

interface WhyState {
  readonly explanation: Explanation | null;
  readonly anchor: DOMRect | null;
}

const why = createStore<WhyState>(() => ({ explanation: null, anchor: null }));

export const showWhy = (explanation: Explanation, element: Element): void =>
  why.setState({ explanation, anchor: element.getBoundingClientRect() });
export const hideWhy = (): void => why.setState({ explanation: null, anchor: null });

interface WhyProps {
  /** Computed only when asked for. */
  readonly explain: () => Explanation;
  readonly children: ReactNode;
  readonly className?: string;
  /** What a screen reader says for the number itself. */
  readonly label?: string;
}

export function Why({ explain, children, className = "", label }: WhyProps) {
  const show = (element: Element): void => showWhy(explain(), element);
  return (
    <button
      type="button"
      className={`why ${className}`}
      aria-label={label}
      aria-describedby="why"
      onPointerEnter={(event) => show(event.currentTarget)}
      onPointerLeave={(event) => {
        if (event.pointerType === "mouse") hideWhy();
      }}
      onFocus={(event) => show(event.currentTarget)}
      onBlur={hideWhy}
      onClick={(event) => show(event.currentTarget)}
      onKeyDown={(event) => {
        if (event.key === "Escape") hideWhy();
      }}
    >
      {children}
    </button>
  );
}

const GAP = 8;

/** The card itself, once per page. Below its target where there is room, else above; always inside the window. */
export function WhyCard() {
  const { explanation, anchor } = useStore(why);
  const card = useRef<HTMLDivElement>(null);
  const [position, setPosition] = useState({ left: 0, top: 0 });
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text of the explanation decides how large the card is.
  useLayoutEffect(() => {
    if (card.current === null || anchor === null) return;
    const { width, height } = card.current.getBoundingClientRect();
    const left = Math.max(GAP, Math.min(anchor.left + anchor.width / 2 - width / 2, innerWidth - width - GAP));
    const below = anchor.bottom + GAP;
    setPosition({ left, top: below + height < innerHeight - GAP ? below : Math.max(GAP, anchor.top - height - GAP) });
  }, [anchor, explanation]);
  useLayoutEffect(() => {
    addEventListener("scroll", hideWhy, { capture: true, passive: true });
    // A tap elsewhere puts the card away; a tap on a number shows it again right after.
    addEventListener("pointerdown", hideWhy, { capture: true });
    return () => {
      removeEventListener("scroll", hideWhy, { capture: true });
      removeEventListener("pointerdown", hideWhy, { capture: true });
    };
  }, []);
  return (
    <div id="why" role="tooltip" className="why-card" ref={card} hidden={explanation === null} style={position}>
      {explanation && (
        <>
          <p className="why-title">{explanation.title}</p>
          {explanation.formula !== undefined && <p className="why-formula">{explanation.formula}</p>}
          {explanation.numbers !== undefined && <p className="why-numbers">{explanation.numbers}</p>}
          <p className="why-sentence">{explanation.sentence}</p>
        </>
      )}
    </div>
  );
}
