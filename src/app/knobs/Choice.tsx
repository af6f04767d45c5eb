/** A labelled list of values to choose one of. */
interface ChoiceProps<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly options: readonly { readonly value: Value; readonly label: string }[];
  readonly title?: string;
  readonly onChange: (value: Value) => void;
}

export function Choice<Value extends string>({ label, value, options, title, onChange }: ChoiceProps<Value>) {
  return (
    <label className="choice" title={title}>
      <span>{label}</span>
      <select
        value={value}
        onChange={(event) => {
          const chosen = options.find((option) => option.value === event.target.value);
          if (chosen !== undefined) onChange(chosen.value);
        }}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </label>
  );
}
