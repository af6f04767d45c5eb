/** A text field: a valid text is applied on Enter or when the field loses focus. */
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
  useEffect(() => setText(value), [value]);
  const refusal = refuse(text.trim());
  const commit = (): void => {
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
        onChange={(event) => setText(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "Escape") setText(value);
        }}
      />
    </div>
  );
}
