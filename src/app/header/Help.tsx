/** The help dialog: what the page shows, what its buttons do, its keys, and a section for developers. */
import { useEffect, useRef } from "react";
import { TRANSITIONS } from "../../srpo/types";
import { STAGES } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { TransitionChip } from "../parts/TransitionChip";
import { usePlayground, useRun, useView } from "../state/hooks";
import { BINDINGS } from "../state/keyboard";
import { view } from "../state/view";
import { SEGMENTS, STAGE_WORDS, TRANSITION_WORDS } from "../state/words";

const BUTTONS = [
  { icon: "reset", name: "Reset", what: "Return to the start of this run: weights, optimiser, random numbers, data." },
  { icon: "play", name: "Play", what: "Train until paused; continues from reflection SFT to GRPO automatically." },
  { icon: "step", name: "Step", what: "Take one step, or finish the current one." },
  {
    icon: "phase",
    name: "Sub-step",
    what: "Run one phase (rollout, score, normalise or update) and show its result.",
  },
  {
    icon: "back",
    name: "Look back",
    what: "Show the groups of earlier steps. To train from an earlier step, restore a snapshot in the timeline.",
  },
  { icon: "link", name: "Link", what: "Copy a link with the starting policy and your settings." },
] as const;

/** The rules of the equivalent grader in short; docs/method.md has the table. */
const GRADING = [
  { name: "Letter", what: "B, (b) and “B. 12 cm” choose B. “A or B” chooses nothing." },
  { name: "Number", what: "By exact value: 1/2 is 0.5 is 50%. Known units are converted; 5 cm is not 5 kg." },
  { name: "Anything after", what: "A word or letter that is no unit makes another answer: 8x, 8 halves, 8 or 9." },
  { name: "Set, interval", what: "A set in any order. An interval or a point with the same brackets and ends." },
  { name: "Expression", what: "The same value everywhere: √20 is 2√5. Text: the same words." },
  { name: "Why", what: "Open a row: it says for each answer why it is right or wrong." },
] as const;

export function Help() {
  const playground = usePlayground();
  const dialog = useRef<HTMLDialogElement>(null);
  const open = useView((state) => state.help);
  const opened = useRun((state) => state.opened);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const close = (): void => view.setState({ help: false });
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it; Escape does so by itself.
    <dialog
      className="help"
      ref={dialog}
      onClose={close}
      aria-labelledby="help-title"
      onClick={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      <div className="help-head">
        <h2 id="help-title">What am I looking at?</h2>
        <button type="button" className="icon-button" onClick={close} aria-label="Close help">
          <Icon name="close" />
        </button>
      </div>
      <div className="help-body">
        <section>
          <p className="lead">
            A small model looks at a picture, answers, reflects on its answer, and answers again. SRPO teaches it to
            reflect well: it rewards reflections that keep right answers or fix wrong ones, and penalises those that
            spoil right answers.
          </p>
          <dl>
            {SEGMENTS.map(({ segment, label }) => (
              <div key={segment} className={`segment-${segment}`}>
                <dt>
                  <Icon name={segment} size={14} />
                  {label}
                </dt>
                <dd>
                  {segment === "first"
                    ? "Its first reasoning and answer."
                    : segment === "reflection"
                      ? "Its comment on that answer."
                      : "Its reasoning and answer after reflecting."}
                </dd>
              </div>
            ))}
          </dl>
          <dl>
            {TRANSITIONS.map((each) => (
              <div key={each}>
                <dt>
                  <TransitionChip transition={each} />
                </dt>
                <dd>{TRANSITION_WORDS[each].what}</dd>
              </div>
            ))}
          </dl>
          <h3>When is an answer right?</h3>
          <dl>
            {GRADING.map(({ name, what }) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <h3>Keys</h3>
          <dl className="keys">
            {BINDINGS.map(({ keys, what }) => (
              <div key={keys}>
                <dt>
                  <kbd>{keys}</kbd>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
        <section>
          <h3>What do these buttons do?</h3>
          <dl>
            {BUTTONS.map(({ icon, name, what }) => (
              <div key={name}>
                <dt>
                  <Icon name={icon} />
                  {name}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <h3>Three stages</h3>
          <dl>
            {STAGES.map((stage) => (
              <div key={stage}>
                <dt>{STAGE_WORDS[stage].label}</dt>
                <dd>{STAGE_WORDS[stage].what}</dd>
              </div>
            ))}
          </dl>
          <p className="help-note">
            Point at, focus or tap any number to see how it is computed. The model trains on your own machine; nothing
            is sent elsewhere.
          </p>
          <details className="developer">
            <summary>For developers</summary>
            <p>Destroy the GPU device to see training recover from the last snapshot.</p>
            <button
              type="button"
              className="button"
              disabled={opened === null}
              onClick={() => {
                close();
                playground.loseDevice();
              }}
            >
              Lose the device
            </button>
          </details>
        </section>
      </div>
    </dialog>
  );
}
