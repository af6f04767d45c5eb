/**
 * A number field: a valid value is applied on Enter or when the field loses focus; another one goes back to the value
 * that holds, and says so.
 */
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
  const [refused, setRefused] = useState<string | null>(null);
  useEffect(() => {
    setText(String(value));
    setRefused(null);
  }, [value]);
  const typed = Number(text);
  const whole = step >= 1;
  const valid =
    text.trim() !== "" && Number.isFinite(typed) && typed >= min && typed <= max && (!whole || Number.isInteger(typed));
  const commit = (): void => {
    if (valid) {
      setRefused(null);
      if (typed !== value) onChange(typed);
      return;
    }
    const wanted = `${whole ? "a whole number" : "a number"} from ${min} to ${max}`;
    setRefused(`${text.trim() || "Nothing"} is not ${wanted}: still ${value}.`);
    setText(String(value));
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
        aria-describedby={refused === null ? undefined : `${id}-refused`}
        onChange={(event) => {
          setText(event.target.value);
          setRefused(null);
        }}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "Escape") setText(String(value));
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
