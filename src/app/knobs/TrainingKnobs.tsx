/** Training settings: three sliders, the rest under "More". */
import { useMemo } from "react";
import { type Settings, settingsSchema } from "../../worker/protocol";
import { Slider } from "../parts/Slider";
import { usePlayground, useRun } from "../state/hooks";
import { settingsOfRecipe } from "../state/recipes";
import { MethodKnobs } from "./MethodKnobs";
import { NumberKnob } from "./NumberKnob";
import { ReflectionFormKnobs } from "./ReflectionFormKnobs";

/** 0.0002 → 2·10⁻⁴ */
function scientific(value: number): string {
  const [mantissa = "", power = ""] = value.toExponential(0).split("e");
  const raised = (sign: string): string => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(Number(sign)));
  return `${mantissa}·10${power.replace("+", "").replace(/./g, raised)}`;
}
const whole = (value: number): string => String(Math.round(value));
const FAMILIES: readonly { readonly name: Settings["families"][number]; readonly label: string }[] = [
  { name: "bars", label: "Bar charts" },
  { name: "shapes", label: "Shapes" },
  { name: "geometry", label: "Geometry" },
  { name: "digits", label: "Arithmetic" },
];

/** Three steps a decade: 1, 2, 5. */
const rateOf = (notch: number): number => Number(`${[1, 2, 5][((notch % 3) + 3) % 3] ?? 1}e${Math.floor(notch / 3)}`);
const notchOf = (rate: number): number => Math.round(3 * Math.log10(rate));

export function TrainingKnobs() {
  const playground = usePlayground();
  const settings = useRun((state) => state.wanted);
  const stage = useRun((state) => state.stage);
  const served = useRun((state) => state.served);
  // The user's own data set has neither families nor a teacher that writes examples.
  const data = served?.data ?? null;
  const set = playground.configure;
  const { grpo, sft } = settings;
  const recipe = useRun((state) => state.recipe);
  const original = useMemo(() => settingsOfRecipe(recipe), [recipe]);
  const inSft = stage === "sft";
  const rate = inSft ? sft.learningRate : grpo.learningRate;
  const originalRate = inSft ? original.sft.learningRate : original.grpo.learningRate;
  const toggle = (name: (typeof FAMILIES)[number]["name"]): void => {
    const families = settingsSchema.shape.families.safeParse(
      FAMILIES.map((each) => each.name).filter((each) => (each === name) !== settings.families.includes(each)),
    );
    if (families.success) set({ families: families.data });
  };
  return (
    <section className="knobs" aria-labelledby="trained">
      <div className="knobs-head">
        <h2 id="trained">Training</h2>
      </div>
      <Slider
        label="Group size"
        explained={{
          symbol: "G",
          what: "Responses sampled for each problem. Each is compared with the mean and the spread of the others.",
        }}
        value={grpo.groupSize}
        original={original.grpo.groupSize}
        min={2}
        max={16}
        step={1}
        show={whole}
        onChange={(groupSize) => set({ grpo: { groupSize } })}
      />
      <Slider
        label="Temperature"
        explained={{
          symbol: "T",
          what: "Divides the logits before sampling: 1 samples the policy as it is, less is surer, more is varied.",
        }}
        value={settings.temperature}
        original={original.temperature}
        min={0.1}
        max={2}
        step={0.05}
        onChange={(temperature) => set({ temperature })}
      />
      <Slider
        label="Learning rate"
        explained={{ symbol: "η", what: "How far one update moves the weights (AdamW's rate after warm-up)." }}
        value={notchOf(rate)}
        original={notchOf(originalRate)}
        min={-18}
        max={-6}
        step={1}
        show={(notch) => scientific(rateOf(notch))}
        onChange={(notch) =>
          set(inSft ? { sft: { learningRate: rateOf(notch) } } : { grpo: { learningRate: rateOf(notch) } })
        }
      />
      <details className="more">
        <summary>More …</summary>
        <NumberKnob
          label="Problems per step"
          value={grpo.prompts}
          min={1}
          max={64}
          onChange={(prompts) => set({ grpo: { prompts } })}
        />
        <NumberKnob
          label="GRPO steps"
          value={grpo.steps}
          min={1}
          max={5000}
          onChange={(steps) => set({ grpo: { steps } })}
        />
        {data === null && (
          <NumberKnob
            label="SFT examples"
            value={sft.examples}
            min={64}
            max={20000}
            onChange={(examples) => set({ sft: { examples } })}
          />
        )}
        <NumberKnob
          label="SFT steps"
          value={sft.steps}
          min={1}
          max={5000}
          onChange={(steps) => set({ sft: { steps } })}
        />
        <NumberKnob
          label="Max response tokens"
          value={settings.maxNewTokens}
          min={16}
          max={served !== null ? 8192 : 512}
          onChange={(maxNewTokens) => set({ maxNewTokens })}
        />
        <NumberKnob
          label="Max gradient norm"
          value={settings.maxGradNorm}
          min={0.01}
          max={100}
          step={0.01}
          onChange={(maxGradNorm) => set({ maxGradNorm })}
        />
        <label className="choice">
          <span>Shape of f_len</span>
          <select
            value={settings.reward.lengthShape}
            onChange={(event) =>
              set({ reward: { lengthShape: event.target.value === "laplace" ? "laplace" : "gaussian" } })
            }
          >
            <option value="gaussian">exp(−x²)</option>
            <option value="laplace">exp(−2|x|)</option>
          </select>
        </label>
        {data === null && (
          <fieldset className="families">
            <legend>Problems</legend>
            {FAMILIES.map(({ name, label }) => (
              <label key={name}>
                <input type="checkbox" checked={settings.families.includes(name)} onChange={() => toggle(name)} />
                {label}
              </label>
            ))}
          </fieldset>
        )}
        {data !== null && (
          <p className="data-set" title={data}>
            <span>Problems</span> {data}
          </p>
        )}
        <ReflectionFormKnobs />
        <label className="choice">
          <input
            type="checkbox"
            checked={!settings.freezeVision}
            onChange={(event) => set({ freezeVision: !event.target.checked })}
          />
          <span>
            Train the vision tower <em>restarts the run</em>
          </span>
        </label>
        <MethodKnobs />
        <NumberKnob
          label="Seed (after reset)"
          value={settings.seed}
          min={0}
          max={2 ** 31 - 1}
          onChange={(seed) => set({ seed })}
        />
      </details>
    </section>
  );
}
