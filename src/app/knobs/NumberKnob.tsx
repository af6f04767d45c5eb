/** A number field: a valid value is applied on Enter or when the field loses focus. */
import { useEffect, useId, useState } from "react";

interface NumberKnobProps {
  readonly label: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly step?: number;
  readonly onChange: (value: number) => void;
}

export function NumberKnob({ label, value, min, max, step = 1, onChange }: NumberKnobProps) {
  const id = useId();
  const [text, setText] = useState(String(value));
  useEffect(() => setText(String(value)), [value]);
  const typed = Number(text);
  const valid =
    text.trim() !== "" &&
    Number.isFinite(typed) &&
    typed >= min &&
    typed <= max &&
    (step < 1 || Number.isInteger(typed));
  const commit = (): void => {
    if (!valid) setText(String(value));
    else if (typed !== value) onChange(typed);
  };
  return (
    <div className="number-knob">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        inputMode="decimal"
        value={text}
        aria-invalid={!valid}
        title={`${min} to ${max}`}
        onChange={(event) => setText(event.target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "Escape") setText(String(value));
        }}
      />
    </div>
  );
}
