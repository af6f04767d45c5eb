/** A labelled slider with its value, a mark at the default and a way back to it. */
import { useId } from "react";
import { number } from "../state/words";
import { Why } from "./Why";

interface SliderProps {
  readonly label: string;
  /** The number's symbol, and what it means in a sentence or two. */
  readonly explained?: { readonly symbol: string; readonly what: string };
  readonly value: number;
  readonly original: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** How the value is written; two decimals by default. */
  readonly show?: (value: number) => string;
  readonly hue?: string;
  readonly onChange: (value: number) => void;
}

export function Slider({
  label,
  explained,
  value,
  original,
  min,
  max,
  step,
  show = number,
  hue,
  onChange,
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
      <p className="slider-label">
        <label htmlFor={id}>
          {hue && <i className="swatch" aria-hidden="true" />}
          <span>{label}</span>
        </label>
        {explained && (
          <Why
            label={`What ${label} is`}
            explain={() => ({ title: `${label} · ${explained.symbol}`, sentence: explained.what })}
          >
            <em>{explained.symbol}</em>
          </Why>
        )}
      </p>
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
