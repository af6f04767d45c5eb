/** Which groups a step trains on: all, mixed ones, or a band of accuracies; and whether it draws others instead. */
import { PAPER_BAND } from "../../srpo/onlineFilter";
import { usePlayground, useRun } from "../state/hooks";
import { Choice } from "./Choice";
import { NumberKnob } from "./NumberKnob";

type Kind = "all" | "mixed" | "band";

const KINDS = [
  { value: "all", label: "all groups" },
  { value: "mixed", label: "mixed only" },
  { value: "band", label: "by accuracy" },
] as const satisfies readonly { readonly value: Kind; readonly label: string }[];

export function FilterKnobs() {
  const { configure } = usePlayground();
  const onlineFilter = useRun((state) => state.wanted.grpo.onlineFilter);
  const refills = useRun((state) => state.wanted.grpo.refills);
  const kind: Kind = onlineFilter === null ? "all" : onlineFilter === "mixed" ? "mixed" : "band";
  const band = Array.isArray(onlineFilter) ? onlineFilter : null;
  const choose = (next: Kind): void =>
    configure({
      grpo: { onlineFilter: next === "all" ? null : next === "mixed" ? "mixed" : [PAPER_BAND[0], PAPER_BAND[1]] },
    });
  return (
    <>
      <Choice
        label="Train on"
        value={kind}
        options={KINDS}
        title="Mixed: some first answers right, some wrong"
        onChange={choose}
      />
      {/* Each end is bounded by the other, so that a reversed band cannot be typed. */}
      {band !== null && (
        <div className="knob-band">
          <NumberKnob
            label="from"
            value={band[0]}
            min={0}
            max={band[1]}
            step={0.01}
            onChange={(low) => configure({ grpo: { onlineFilter: [low, band[1]] } })}
          />
          <NumberKnob
            label="to"
            value={band[1]}
            min={band[0]}
            max={1}
            step={0.01}
            onChange={(high) => configure({ grpo: { onlineFilter: [band[0], high] } })}
          />
        </div>
      )}
      {kind !== "all" && (
        <NumberKnob
          label="Draw again, up to"
          value={refills}
          min={0}
          max={63}
          onChange={(next) => configure({ grpo: { refills: next } })}
        />
      )}
    </>
  );
}
