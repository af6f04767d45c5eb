/**
 * The editor of one reward term of one's own. What is typed is checked and computed on the shown group at once; it
 * becomes a setting on Enter or when the field loses focus, so that a running training never uses half an expression.
 */
import { useEffect, useId, useState } from "react";
import { MAX_LENGTH } from "../../srpo/language/parser";
import { formatNumber } from "../../srpo/notation";
import type { CustomTerm } from "../../srpo/types";
import { Icon } from "../parts/Icon";
import { Slider } from "../parts/Slider";
import { shownGroup } from "../state/groups";
import { useGroups, useRun } from "../state/hooks";
import { type TypedValue, typedNameFault, typedValues } from "../state/ownTerms";
import { customHue, signed } from "../state/words";

interface OwnTermProps {
  readonly term: CustomTerm;
  /** Its place in the list, which decides its colour. */
  readonly at: number;
  readonly others: readonly CustomTerm[];
  readonly onChange: (patch: Partial<CustomTerm>) => void;
  readonly onRemove: () => void;
}

export function OwnTerm({ term, at, others, onChange, onRemove }: OwnTermProps) {
  const note = useId();
  const [name, setName] = useState(term.name);
  const [expression, setExpression] = useState(term.expression);
  useEffect(() => setName(term.name), [term.name]);
  useEffect(() => setExpression(term.expression), [term.expression]);
  const group = useGroups(shownGroup);
  const variant = useRun((state) => state.wanted.reward.variant);
  const nameFault = typedNameFault(name, others);
  const typed = typedValues(expression, group, variant);
  const fault = "fault" in typed ? typed.fault : null;
  const commitName = (): void => {
    if (nameFault === null && name !== term.name) onChange({ name });
  };
  const commitExpression = (): void => {
    if (fault === null && expression !== term.expression) onChange({ expression });
  };
  return (
    <div className="own-term" style={{ "--hue": customHue(at) } as React.CSSProperties}>
      <div className="own-head">
        <i className="swatch" aria-hidden="true" />
        <input
          className="own-name"
          aria-label={`Name of your term ${at + 1}`}
          value={name}
          spellCheck={false}
          autoCapitalize="off"
          aria-invalid={nameFault !== null}
          onChange={(event) => setName(event.target.value)}
          onBlur={commitName}
          onKeyDown={(event) => {
            if (event.key === "Enter") commitName();
            if (event.key === "Escape") setName(term.name);
          }}
        />
        <button type="button" className="icon-button" aria-label={`Remove your term ${term.name}`} onClick={onRemove}>
          <Icon name="close" size={14} />
        </button>
      </div>
      <textarea
        aria-label={`Expression of ${term.name}`}
        aria-describedby={note}
        aria-invalid={fault !== null}
        rows={Math.min(8, Math.max(2, Math.ceil(expression.length / 32)))}
        maxLength={MAX_LENGTH}
        spellCheck={false}
        autoCapitalize="off"
        autoCorrect="off"
        value={expression}
        onChange={(event) => setExpression(event.target.value)}
        onBlur={commitExpression}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            commitExpression();
          }
          if (event.key === "Escape") setExpression(term.expression);
        }}
      />
      <div id={note} className="own-note" aria-live="polite">
        {nameFault !== null && <p className="own-fault">{nameFault}</p>}
        {"fault" in typed ? (
          <p className="own-fault">
            {typed.fault}
            {expression !== term.expression && " The last valid expression stays in use."}
          </p>
        ) : (
          <Values values={typed.values} />
        )}
        {fault === null && expression !== term.expression && <p className="own-pending">Enter puts it to use.</p>}
      </div>
      <Slider
        label="Weight"
        {...(term.weight === 0 ? { symbol: "off" } : {})}
        hue={customHue(at)}
        show={signed}
        value={term.weight}
        original={0}
        min={-1}
        max={1}
        step={0.05}
        onChange={(weight) => onChange({ weight })}
      />
    </div>
  );
}

/** The value for each response of the shown group, and the first reason why one has none. */
function Values({ values }: { readonly values: readonly (TypedValue | null)[] }) {
  if (values.every((value) => value === null)) return <p className="own-pending">No scored group is shown yet.</p>;
  const failed = values.findIndex((value) => typeof value === "object" && value !== null);
  const first = values[failed];
  return (
    <>
      <ol className="own-values tabular" aria-label="Value for each response">
        {values.map((value, row) => (
          <li
            // biome-ignore lint/suspicious/noArrayIndexKey: a response is known by its place in the group.
            key={row}
            title={`Response ${row + 1}`}
            className={typeof value === "object" && value !== null ? "is-failed" : undefined}
          >
            {typeof value === "number" ? formatNumber(value) : "–"}
          </li>
        ))}
      </ol>
      {typeof first === "object" && first !== null && (
        <p className="own-fault">
          Response {failed + 1}: {first.error}. It gets no score.
        </p>
      )}
    </>
  );
}
