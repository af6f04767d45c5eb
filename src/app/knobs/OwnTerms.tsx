/** Reward terms of one's own: a list of editors, and what an expression may say. */

import { MAX_TERMS } from "../../srpo/language/customTerms";
import { FUNCTION_NAMES, FUNCTIONS, type LanguageFunction } from "../../srpo/language/functions";
import { FACT_NAMES, FACTS } from "../../srpo/language/rewardFacts";
import type { CustomTerm } from "../../srpo/types";
import { usePlayground, useRun } from "../state/hooks";
import { newTerm } from "../state/ownTerms";
import { OwnTerm } from "./OwnTerm";

export function OwnTerms() {
  const playground = usePlayground();
  const terms = useRun((state) => state.wanted.reward.customTerms);
  const set = (customTerms: readonly CustomTerm[]): void =>
    playground.configure({ reward: { customTerms: [...customTerms] } });
  return (
    <div className="own-terms" role="group" aria-labelledby="own-terms">
      <div className="knobs-head">
        <h3 id="own-terms">Terms of your own</h3>
        <button
          type="button"
          className="text-button"
          disabled={terms.length >= MAX_TERMS}
          onClick={() => set([...terms, newTerm(terms)])}
        >
          Add a term
        </button>
      </div>
      {terms.map((term, at) => (
        <OwnTerm
          // biome-ignore lint/suspicious/noArrayIndexKey: a term keeps its place while its name is being typed.
          key={at}
          term={term}
          at={at}
          others={terms.filter((other) => other !== term)}
          onChange={(patch) => set(terms.map((each) => (each === term ? { ...each, ...patch } : each)))}
          onRemove={() => set(terms.filter((each) => each !== term))}
        />
      ))}
      {terms.length > 0 && (
        <details className="more own-words">
          <summary>What an expression can say</summary>
          <p>
            Numbers, conditions and texts over the facts of a response: <code>? :</code> <code>or</code>{" "}
            <code>and</code> <code>not</code> <code>== != &lt; &lt;= &gt; &gt;=</code> <code>contains</code>{" "}
            <code>+ - * / % ^</code>. A condition counts as 1 or 0.
          </p>
          <dl>
            {FACT_NAMES.map((name) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{FACTS[name].what}</dd>
              </div>
            ))}
            {FUNCTION_NAMES.map((name) => {
              const { parameters, literal, variadic, what }: LanguageFunction = FUNCTIONS[name];
              const shown = parameters.map((type, i) => (literal && i === parameters.length - 1 ? '"…"' : type));
              return (
                <div key={name}>
                  <dt>{`${name}(${[...shown, ...(variadic ? ["…"] : [])].join(", ")})`}</dt>
                  <dd>{what}</dd>
                </div>
              );
            })}
          </dl>
        </details>
      )}
    </div>
  );
}
