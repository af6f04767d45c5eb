/**
 * What a recipe decides, one setting at a time: updates, surrogate, KL, filter, stages. What the present choice cannot
 * use is not offered: a clip range under CISPO, refills without a filter.
 */
import type { SurrogateKind } from "../../srpo/surrogate";
import { TRAINERS } from "../../srpo/types";
import type { Settings } from "../../worker/protocol";
import { usePlayground, useRun } from "../state/hooks";
import { settingValue } from "../state/recipeWords";
import { Choice } from "./Choice";
import { FilterKnobs } from "./FilterKnobs";
import { NumberKnob } from "./NumberKnob";

type Grpo = Settings["grpo"];
type NumberKey = { [K in keyof Grpo]: Grpo[K] extends number ? K : never }[keyof Grpo];

interface SurrogateNumber {
  readonly key: NumberKey;
  readonly label: string;
  readonly min: number;
  readonly max: number;
}

/** The numbers that each surrogate reads. */
const SURROGATE_NUMBERS: Readonly<Record<SurrogateKind, readonly SurrogateNumber[]>> = {
  clip: [
    { key: "clipLow", label: "Clip below", min: 0.0001, max: 0.99 },
    { key: "clipHigh", label: "Clip above", min: 0.0001, max: 10 },
  ],
  cispo: [
    { key: "cispoLow", label: "Least ratio", min: 0, max: 1 },
    { key: "cispoHigh", label: "Ratio cap", min: 1, max: 100 },
  ],
  sapo: [
    { key: "tauPositive", label: "Gate τ, A > 0", min: 0.01, max: 100 },
    { key: "tauNegative", label: "Gate τ, A ≤ 0", min: 0.01, max: 100 },
  ],
};

const SURROGATES = [
  { value: "clip", label: "clip (PPO, GRPO)" },
  { value: "cispo", label: "CISPO" },
  { value: "sapo", label: "SAPO" },
] as const satisfies readonly { readonly value: SurrogateKind; readonly label: string }[];

export function MethodKnobs() {
  const { configure } = usePlayground();
  const grpo = useRun((state) => state.wanted.grpo);
  const set = (patch: Partial<Grpo>): void => configure({ grpo: patch });
  const several = grpo.updatesPerRollout * grpo.epochs > 1;
  return (
    <fieldset className="method">
      <legend>Method</legend>
      <NumberKnob
        label="Updates per rollout"
        value={grpo.updatesPerRollout}
        min={1}
        max={64}
        onChange={(updatesPerRollout) => set({ updatesPerRollout })}
      />
      <NumberKnob
        label="Passes per rollout"
        value={grpo.epochs}
        min={1}
        max={8}
        onChange={(epochs) => set({ epochs })}
      />
      <Choice
        label="Surrogate"
        value={grpo.surrogate}
        options={SURROGATES}
        onChange={(surrogate) => set({ surrogate })}
      />
      <Choice
        label="Ratio per"
        value={grpo.ratioLevel}
        title="GSPO: one ratio for a whole response"
        options={[
          { value: "token", label: "token" },
          { value: "sequence", label: "response (GSPO)" },
        ]}
        onChange={(ratioLevel) => set({ ratioLevel })}
      />
      {SURROGATE_NUMBERS[grpo.surrogate].map(({ key, label, min, max }) => (
        <NumberKnob
          key={key}
          label={label}
          value={grpo[key]}
          min={min}
          max={max}
          step={0.0001}
          onChange={(value) => set({ [key]: value })}
        />
      ))}
      {!several && (
        <p className="knob-note is-quiet">With one update a rollout every ratio is 1: these bounds stop nothing.</p>
      )}
      <NumberKnob
        label="KL weight β"
        value={grpo.beta}
        min={0}
        max={1}
        step={0.001}
        onChange={(beta) => set({ beta })}
      />
      {grpo.beta > 0 && (
        <Choice
          label="KL in the"
          value={grpo.klPlacement}
          options={[
            { value: "loss", label: "loss" },
            { value: "reward", label: "reward" },
          ]}
          onChange={(klPlacement) => set({ klPlacement })}
        />
      )}
      <FilterKnobs />
      <label className="choice">
        <input
          type="checkbox"
          checked={grpo.maskTruncated}
          onChange={(event) => set({ maskTruncated: event.target.checked })}
        />
        <span>Leave truncated responses out</span>
      </label>
      <Choice
        label="Numerics of"
        value={grpo.preset}
        options={TRAINERS.map((value) => ({ value, label: value }))}
        onChange={(preset) => set({ preset })}
      />
      {grpo.stages.length > 0 && (
        <div className="knob-stages">
          <p>
            Stages{" "}
            <button type="button" className="text-button" onClick={() => set({ stages: [] })}>
              One stage
            </button>
          </p>
          <ol>
            {grpo.stages.map((stage, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a stage is known by its place.
              <li key={at}>{settingValue("grpo.stages", stage)}</li>
            ))}
          </ol>
          <p className="knob-note is-quiet">
            They set group size, response length and β of their steps, over the values above.
          </p>
        </div>
      )}
    </fieldset>
  );
}
