/** A labelled slider with its value, a mark at the default and a way back to it. */
import { useId } from "react";
import { number } from "../state/words";

interface SliderProps {
  readonly label: string;
  readonly symbol?: string;
  readonly value: number;
  readonly original: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** How the value is written; two decimals by default. */
  readonly show?: (value: number) => string;
  readonly hue?: string;
  readonly onChange: (value: number) => void;
  readonly hint?: string;
}

export function Slider({
  label,
  symbol,
  value,
  original,
  min,
  max,
  step,
  show = number,
  hue,
  onChange,
  hint,
}: SliderProps) {
  const id = useId();
  const at = (each: number): string => `${((Math.min(max, Math.max(min, each)) - min) / (max - min)) * 100}%`;
  const changed = Math.abs(value - original) > 1e-9;
  return (
    <div
      className={`slider ${changed ? "is-changed" : ""}`}
      style={
        {
          "--hue": hue,
          "--at": at(value),
          "--original": at(original),
          "--zero": at(Math.max(0, min)),
        } as React.CSSProperties
      }
    >
      <label htmlFor={id} title={hint}>
        {hue && <i className="swatch" aria-hidden="true" />}
        <span>{label}</span>
        {symbol && <em>{symbol}</em>}
      </label>
      <button
        type="button"
        className="slider-value"
        disabled={!changed}
        onClick={() => onChange(original)}
        aria-label={changed ? `${label}: back to ${show(original)}` : `${label} ${show(value)}`}
        title={changed ? `Back to ${show(original)}` : undefined}
      >
        {show(value)}
      </button>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={show(value)}
        onChange={(event) => onChange(Number(event.target.value))}
      />
    </div>
  );
}
