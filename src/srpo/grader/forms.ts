/** The forms that an answer can have. value.ts reads them, comparison.ts compares them. */
import type { Quantity } from "./quantity";

export type Value =
  | { readonly kind: "number"; readonly quantity: Quantity }
  | { readonly kind: "range"; readonly low: Quantity; readonly high: Quantity }
  | { readonly kind: "ratio"; readonly terms: readonly string[] }
  | { readonly kind: "clock"; readonly minutes: number; readonly half: "am" | "pm" | null }
  | { readonly kind: "interval"; readonly variable: string | null; readonly pieces: readonly Interval[] }
  | {
      readonly kind: "tuple";
      readonly open: "(" | "[";
      readonly close: ")" | "]";
      readonly members: readonly Named[];
    }
  | {
      readonly kind: "set";
      readonly members: readonly Named[];
      /** How the members are joined; "or" between words names no answer. */
      readonly joined: "braces" | "comma" | "and" | "or" | "±";
    }
  | { readonly kind: "equation"; readonly sides: readonly [string, string] }
  | { readonly kind: "expression"; readonly text: string }
  | { readonly kind: "text"; readonly text: string };

/** A value and the name before its equals sign, if any. */
export interface Named {
  readonly name: string | null;
  readonly value: Value;
  readonly source: string;
}

export interface Interval {
  /** Null: unbounded. */
  readonly low: Named | null;
  readonly high: Named | null;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}
