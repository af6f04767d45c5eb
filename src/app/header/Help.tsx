/** What the page shows, what its buttons do, its keys; and a corner for whoever tests it. */
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
  { icon: "reset", name: "Reset", what: "Back to the start of this run: weights, optimiser, random numbers, data." },
  { icon: "play", name: "Play", what: "Takes steps until paused, and goes on from reflection SFT to GRPO by itself." },
  { icon: "step", name: "Step", what: "One whole step, or the rest of the step under way." },
  {
    icon: "phase",
    name: "Sub-step",
    what: "One phase: rollout, score, normalise, update. Only what that phase made appears.",
  },
  {
    icon: "back",
    name: "Look back",
    what: "The groups of earlier steps. To train on from an earlier step, restore a snapshot in the timeline.",
  },
  { icon: "link", name: "Link", what: "Copies an address with the start and the settings you chose." },
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
            reflect well: it rewards reflections that keep right answers and fix wrong ones, and takes away for those
            that spoil.
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
                    ? "What it thinks and answers at first sight."
                    : segment === "reflection"
                      ? "What it says about its own answer."
                      : "What it thinks and answers after that."}
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
            Point at, focus or tap any number to see where it comes from. Nothing leaves this tab: the model trains on
            your own machine.
          </p>
          <details className="developer">
            <summary>For developers</summary>
            <p>Destroy the device on purpose, and watch training come back from the last snapshot.</p>
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
