/** The reward: a slider for every term, the tiers of I_eff, the scorer variant, and terms of one's own. */
import { useMemo } from "react";
import { tiersRefusal } from "../../srpo/adaptiveTiers";
import { type RewardVariant, TRANSITIONS } from "../../srpo/types";
import { Slider } from "../parts/Slider";
import { usePlayground, useRun } from "../state/hooks";
import { settingsOfRecipe } from "../state/recipes";
import { signed, TRANSITION_WORDS } from "../state/words";
import { AdaptiveTiersKnobs } from "./AdaptiveTiersKnobs";
import { OwnTerms } from "./OwnTerms";

const VARIANTS: Readonly<Record<RewardVariant, { readonly label: string; readonly what: string }>> = {
  paper: { label: "the paper's", what: "Each term as the paper defines it." },
  gated: {
    label: "all or nothing",
    what: "Nothing unless the response is well formed; then the last answer counts, not the first.",
  },
  official: {
    label: "the released code's",
    what: "One accuracy term over both answers; it pays most for a deliberately wrong first answer.",
  },
  "official-verl": {
    label: "the verl port's",
    what: "An operator precedence bug: fixing a wrong answer earns nothing.",
  },
};

export function RewardKnobs() {
  const playground = usePlayground();
  const reward = useRun((state) => state.wanted.reward);
  const stage = useRun((state) => state.stage);
  const rounds = useRun((state) => state.wanted.reflectionForm.rounds);
  const recipe = useRun((state) => state.recipe);
  const original = useMemo(() => settingsOfRecipe(recipe).reward, [recipe]);
  const set = (patch: Partial<typeof reward>): void => playground.configure({ reward: patch });
  /** A reward without I_eff has no tiers to adapt: they are turned off with it. */
  const setAdapting = (patch: Partial<typeof reward>): void =>
    set(tiersRefusal({ ...reward, ...patch }) === null ? patch : { ...patch, adaptiveTiers: null });
  // Terms of one's own have no default to go back to: each is removed by itself.
  const defaults = { ...original, customTerms: reward.customTerms };
  const changed = JSON.stringify(reward) !== JSON.stringify(defaults);
  const own = reward.variant === "paper";
  return (
    <section className="knobs" aria-labelledby="rewarded">
      <div className="knobs-head">
        <h2 id="rewarded">What is rewarded</h2>
        {changed && (
          <button type="button" className="text-button" onClick={() => set(defaults)}>
            Defaults
          </button>
        )}
      </div>
      {stage === "sft" && (
        <p className="knob-note is-quiet">Used in GRPO. SFT learns from examples, without rewards.</p>
      )}
      <Slider
        label="Format"
        explained={{
          symbol: "R_format",
          what:
            rounds === 1
              ? "Paid if the five blocks stand in order: think, answer, reflection, think, answer."
              : `Paid if 5 to ${2 + 3 * rounds} blocks stand in order, three for each round of reflection.`,
        }}
        hue="var(--term-format)"
        value={reward.formatWeight}
        original={original.formatWeight}
        min={0}
        max={1}
        step={0.05}
        onChange={(formatWeight) => set({ formatWeight })}
      />
      <Slider
        label="First answer right"
        explained={{
          symbol: "R_accuracy",
          what: "Paid if the first answer is right. What reflecting does to it is paid by I_eff.",
        }}
        hue="var(--term-accuracy)"
        value={reward.accuracyWeight}
        original={original.accuracyWeight}
        min={0}
        max={1}
        step={0.05}
        onChange={(accuracyWeight) => set({ accuracyWeight })}
      />
      <Slider
        label="Reflection helped"
        explained={{
          symbol: "× I_eff",
          what:
            "Pays what reflecting did to the answer: kept right, fixed, still wrong, spoilt. The factor multiplies " +
            "the four tiers below; at 0 nothing says whether reflecting helped.",
        }}
        hue="var(--term-effectiveness)"
        value={reward.effectivenessWeight}
        original={original.effectivenessWeight}
        min={0}
        max={2}
        step={0.1}
        onChange={(effectivenessWeight) => setAdapting({ effectivenessWeight })}
      />
      <div className="tiers" role="group" aria-label="Tiers of I_eff">
        {TRANSITIONS.map((each) => (
          <Slider
            key={each}
            label={TRANSITION_WORDS[each].label}
            hue={each === "spoilt" ? "var(--spoilt)" : "var(--term-effectiveness)"}
            show={signed}
            value={reward.effectiveness[each]}
            original={original.effectiveness[each]}
            min={-1}
            max={1}
            step={0.05}
            onChange={(value) => set({ effectiveness: { ...reward.effectiveness, [each]: value } })}
          />
        ))}
      </div>
      <AdaptiveTiersKnobs />
      {own && (
        <Slider
          label="Reflection present"
          explained={{
            symbol: "I_ref",
            what: "Paid if one non-empty reflection stands between two answers, whatever it says.",
          }}
          hue="var(--term-reflectionFormat)"
          value={reward.reflectionFormatWeight}
          original={original.reflectionFormatWeight}
          min={0}
          max={1}
          step={0.05}
          onChange={(reflectionFormatWeight) => set({ reflectionFormatWeight })}
        />
      )}
      <Slider
        label="Length on target"
        explained={{
          symbol: "α · f_len",
          what: "Highest where the response is twice as long as its first solution, and falls to both sides.",
        }}
        hue="var(--term-length)"
        value={reward.lengthWeight}
        original={original.lengthWeight}
        min={0}
        max={0.5}
        step={0.01}
        onChange={(lengthWeight) => set({ lengthWeight })}
      />
      <label className="choice">
        <span>Scorer</span>
        <select
          value={reward.variant}
          onChange={(event) => setAdapting({ variant: event.target.value as RewardVariant })}
        >
          {Object.entries(VARIANTS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {!own && <p className="knob-note">{VARIANTS[reward.variant].what}</p>}
      <OwnTerms />
    </section>
  );
}
