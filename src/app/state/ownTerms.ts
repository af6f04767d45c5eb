/** Reward terms of one's own while they are being written: faults of what was typed, and values on the shown group. */
import { expressionFault, nameFault, RewardTermError, termValue } from "../../srpo/language/customTerms";
import { graderOf } from "../../srpo/reward";
import type { CustomTerm, RewardVariant } from "../../srpo/types";
import type { GroupRecord } from "../../worker/protocol";
import { factsOf } from "./rescoring";

/** What a new term says: an example that the reader can change. Weight 0 keeps it off until its slider moves. */
const EXAMPLE = 'transition == "fixed" ? 1 : 0';

/** A term to begin with, under a name that none of `terms` has. */
export function newTerm(terms: readonly CustomTerm[]): CustomTerm {
  const free = (at: number): string => (terms.some(({ name }) => name === `own${at}`) ? free(at + 1) : `own${at}`);
  return { name: free(1), expression: EXAMPLE, weight: 0 };
}

/** What is wrong with a typed name beside the other terms; null: nothing. */
export function typedNameFault(name: string, others: readonly CustomTerm[]): string | null {
  if (others.some((other) => other.name === name)) return `"${name}" is the name of another term`;
  return nameFault(name);
}

/** The value of a term for one response before its weight, or why there is none. */
export type TypedValue = number | { readonly error: string };

/**
 * Values of an expression on the group on show, by response; null where a response is not scored yet.
 * @returns the fault of the expression instead, with its column
 */
export function typedValues(
  expression: string,
  group: GroupRecord | null,
  variant: RewardVariant,
): { readonly fault: string } | { readonly values: readonly (TypedValue | null)[] } {
  const fault = expressionFault(expression);
  if (fault !== null) return { fault };
  const term = { name: "", expression };
  const values = (group?.samples ?? []).map((sample): TypedValue | null => {
    const facts = factsOf(sample);
    if (facts === null) return null;
    try {
      return termValue(term, facts, graderOf(variant));
    } catch (error) {
      if (error instanceof RewardTermError) return { error: error.reason };
      throw error;
    }
  });
  return { values };
}
