/** The knobs: a column on wide screens, a sheet on narrow ones. */
import { useEffect, useRef } from "react";
import { Speed } from "../header/Speed";
import { RecipeKnobs } from "../knobs/RecipeKnobs";
import { RewardKnobs } from "../knobs/RewardKnobs";
import { TrainingKnobs } from "../knobs/TrainingKnobs";
import { Icon } from "../parts/Icon";
import { useView } from "../state/hooks";
import { view } from "../state/view";

export function Knobs() {
  return (
    <aside className="left" aria-label="Rewards and settings">
      <RecipeKnobs />
      <RewardKnobs />
      <TrainingKnobs />
    </aside>
  );
}

export function KnobSheet() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = useView((state) => state.sheet);
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  const close = (): void => view.setState({ sheet: false });
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside the dialog closes it; Escape does so by itself.
    <dialog
      className="sheet"
      ref={dialog}
      onClose={close}
      aria-label="Rewards and settings"
      onClick={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      {open && (
        <div className="sheet-body">
          <button type="button" className="icon-button sheet-close" onClick={close} aria-label="Close">
            <Icon name="close" />
          </button>
          <RecipeKnobs />
          <RewardKnobs />
          <Speed label="Speed" />
          <TrainingKnobs />
        </div>
      )}
    </dialog>
  );
}
