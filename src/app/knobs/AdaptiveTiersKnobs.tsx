/** Adaptive tiers: a switch, the rule's numbers, and what the shown step pays. */
import { tiersRefusal } from "../../srpo/adaptiveTiers";
import { tierOf } from "../../srpo/reward";
import type { AdaptiveTiers } from "../../srpo/types";
import { settingsSchema } from "../../worker/protocol";
import { shownGroup } from "../state/groups";
import { useGroups, usePlayground, useRun } from "../state/hooks";
import { rewardIn } from "../state/rescoring";
import { number, signed, TRANSITION_WORDS } from "../state/words";
import { NumberKnob } from "./NumberKnob";

/** The rule that the switch turns on: the schema's defaults. */
const STANDARD = settingsSchema.shape.reward.parse({ adaptiveTiers: {} }).adaptiveTiers;

export function AdaptiveTiersKnobs() {
  const playground = usePlayground();
  const reward = useRun((state) => state.wanted.reward);
  const group = useGroups(shownGroup);
  const rule = reward.adaptiveTiers;
  const refusal = tiersRefusal(reward);
  const set = (adaptiveTiers: AdaptiveTiers | null): void => playground.configure({ reward: { adaptiveTiers } });
  const paying = rewardIn(group, reward);
  const factors = paying.adaptiveTiers?.factors;
  return (
    <div className="adaptive" role="group" aria-label="Adaptive tiers of I_eff">
      <label className="choice">
        <input
          type="checkbox"
          checked={rule !== null}
          disabled={refusal !== null}
          onChange={(event) => set(event.target.checked ? STANDARD : null)}
        />
        <span>
          Adaptive tiers <em>rarer pays more</em>
        </span>
      </label>
      {refusal !== null && <p className="knob-note is-quiet">Adaptive tiers need I_eff, which is off here.</p>}
      {rule !== null && (
        <>
          <p className="adaptive-paid tabular">
            {factors === undefined
              ? "They adapt from the next GRPO step."
              : (["kept", "fixed"] as const).map((each) => (
                  <span key={each}>
                    {TRANSITION_WORDS[each].label} pays <b>{signed(tierOf(paying, each))}</b> (× {number(factors[each])}
                    )
                  </span>
                ))}
          </p>
          <NumberKnob
            label="Steps counted"
            value={rule.window}
            min={1}
            max={1000}
            onChange={(window) => set({ ...rule, window })}
          />
          <NumberKnob
            label="Strength"
            value={rule.strength}
            min={0}
            max={4}
            step={0.1}
            onChange={(strength) => set({ ...rule, strength })}
          />
          <NumberKnob
            label="Largest factor"
            value={rule.bound}
            min={1}
            max={10}
            step={0.1}
            onChange={(bound) => set({ ...rule, bound })}
          />
        </>
      )}
    </div>
  );
}
