/**
 * A text field: a valid text is applied on Enter or when the field loses focus; another one goes back to the text that
 * holds, and says why.
 */
import { useEffect, useId, useState } from "react";

interface TextKnobProps {
  readonly label: string;
  readonly value: string;
  /** What is wrong with a text; null if nothing is. */
  readonly refuse: (text: string) => string | null;
  readonly onChange: (value: string) => void;
}

export function TextKnob({ label, value, refuse, onChange }: TextKnobProps) {
  const id = useId();
  const [text, setText] = useState(value);
  const [refused, setRefused] = useState<string | null>(null);
  useEffect(() => {
    setText(value);
    setRefused(null);
  }, [value]);
  const refusal = refuse(text.trim());
  const commit = (): void => {
    setRefused(refusal === null ? null : `${refusal.replace(/\.?$/, "")}: still “${value}”.`);
    if (refusal !== null) setText(value);
    else if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <div className="number-knob text-knob">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        value={text}
        spellCheck={false}
        aria-invalid={refusal !== null}
        title={refusal ?? undefined}
        aria-describedby={refused === null ? undefined : `${id}-refused`}
        onChange={(event) => {
          setText(event.target.value);
          setRefused(null);
        }}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "Escape") setText(value);
        }}
      />
      {refused !== null && (
        <p className="knob-refused" id={`${id}-refused`} role="alert">
          {refused}
        </p>
      )}
    </div>
  );
}
