/** The form in which responses reflect; each change starts the run again from the base, which has not learnt a form. */
import { MAX_ROUNDS, REFLECTION_KINDS, type ReflectionKind } from "../../srpo/reflectionForm";
import { type Settings, settingsSchema } from "../../worker/protocol";
import { usePlayground, useRun } from "../state/hooks";
import { NumberKnob } from "./NumberKnob";
import { TextKnob } from "./TextKnob";

const KINDS: Readonly<Record<ReflectionKind, string>> = { tags: "a pair of tags", trigger: "trigger words" };

/** What the schema has against a form. */
function refusalOf(form: Settings["reflectionForm"]): string | null {
  const parsed = settingsSchema.shape.reflectionForm.safeParse(form);
  return parsed.success ? null : (parsed.error.issues[0]?.message ?? "This cannot be used.");
}

export function ReflectionFormKnobs() {
  const playground = usePlayground();
  const form = useRun((state) => state.wanted.reflectionForm);
  const set = (patch: Partial<Settings["reflectionForm"]>): void => playground.configure({ reflectionForm: patch });
  return (
    <fieldset className="form-knobs">
      <legend>
        Form of reflection <em>restarts the run from the base</em>
      </legend>
      <label className="choice">
        <span>Opened by</span>
        <select
          value={form.kind}
          onChange={(event) => {
            const kind = REFLECTION_KINDS.find((each) => each === event.target.value);
            if (kind) set({ kind });
          }}
        >
          {REFLECTION_KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {KINDS[kind]}
            </option>
          ))}
        </select>
      </label>
      {form.kind === "tags" ? (
        <TextKnob
          label="Tag"
          value={form.tag}
          refuse={(tag) => refusalOf({ ...form, tag })}
          onChange={(tag) => set({ tag })}
        />
      ) : (
        <TextKnob
          label="Trigger"
          value={form.trigger}
          refuse={(trigger) => refusalOf({ ...form, trigger })}
          onChange={(trigger) => set({ trigger })}
        />
      )}
      <NumberKnob
        label="Rounds, at most"
        value={form.rounds}
        min={1}
        max={MAX_ROUNDS}
        onChange={(rounds) => set({ rounds })}
      />
      {form.rounds > 1 && (
        <p className="knob-note is-quiet">
          The last round is rewarded. For {form.rounds} rounds allow about {60 + 30 * form.rounds} response tokens, and
          a target length of up to {form.rounds + 1} times the first solution.
        </p>
      )}
    </fieldset>
  );
}
