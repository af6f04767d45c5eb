/**
 * How fast play goes: full speed, or slow enough to watch the phases. Changing it while playing takes effect at once.
 */
import { usePlayground, useRun, useView } from "../state/hooks";
import { SPEEDS, setTaste } from "../state/view";

export function Speed({ label }: { readonly label?: string }) {
  const playground = usePlayground();
  const playing = useRun((state) => state.playing);
  const speed = useView((state) => state.speed);
  return (
    <label className={label === undefined ? "speed" : "choice"}>
      <span className={label === undefined ? "visually-hidden" : undefined}>{label ?? "Speed"}</span>
      <select
        value={speed}
        onChange={(event) => {
          const selected = SPEEDS.find(({ name }) => name === event.target.value);
          if (selected) setTaste({ speed: selected.name });
          if (playing) playground.play();
        }}
      >
        {SPEEDS.map(({ name, label: words }) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
