/** One line about what is kept: a run that is not being saved, a save that was damaged, a run that is kept aside. */
import { type ReactNode, useState } from "react";
import { Icon } from "../parts/Icon";
import { useKeeping, usePlayground, useRun } from "../state/hooks";
import { type KeepingState, otherRuns } from "../state/keeping";
import { canSteer } from "../state/run";
import { placeOf } from "../state/words";

interface Line {
  /** What the line is about: closing it hides this only. */
  readonly about: string;
  readonly troubled: boolean;
  readonly text: string;
  /** More, for those who ask. */
  readonly detail?: string;
  readonly act?: ReactNode;
  /** It stays for as long as it is true. */
  readonly lasting?: boolean;
}

function savingLine(saving: NonNullable<KeepingState["saving"]>, step: number, exporting: ReactNode): Line {
  const about = saving.state;
  switch (saving.state) {
    case "failed": {
      const { full, message, at } = saving;
      const upTo = at === null ? "This run is not saved." : `The run is saved up to ${placeOf(at)}.`;
      const why = full ? "The browser’s storage is full." : "The last save failed.";
      const act = exporting;
      return { about, troubled: true, text: `${why} ${upTo}`, detail: message, act, lasting: true };
    }
    case "forbidden":
      return {
        about,
        troubled: true,
        text: "This browser stores nothing for this page: closing the tab loses the run.",
        detail: saving.message,
        act: exporting,
      };
    case "olderSave":
      return {
        about,
        troubled: true,
        text: `The newest save was damaged. The run continues from the one before it, at step ${step}.`,
        detail: saving.message,
      };
    case "unreadable":
      return {
        about,
        troubled: true,
        text: "Your stored run could not be opened. It is kept, and this is a new run.",
        detail: saving.message,
      };
    case "unguarded":
      return {
        about,
        troubled: false,
        text: "This browser cannot tell tabs apart. Open the page in one tab only: two overwrite each other’s run.",
      };
    default:
      return saving satisfies never;
  }
}

export function KeepingLine() {
  const playground = usePlayground();
  const [closed, setClosed] = useState<string | null>(null);
  const saving = useKeeping((state) => state.saving);
  const keeping = useKeeping((state) => state);
  const status = useRun((state) => state.status);
  const step = useRun((state) => state.step);
  const served = useRun((state) => state.served);
  const ready = useRun(canSteer);
  const line = ((): Line | null => {
    if (status === "failed" && served === null)
      return {
        about: "engine",
        troubled: true,
        text: "Training has stopped. What was saved is kept.",
        lasting: true,
        act: (
          <button type="button" className="text-button" onClick={playground.startAgain}>
            Start the engine again
          </button>
        ),
      };
    if (saving !== null)
      return savingLine(
        saving,
        step,
        <button type="button" className="text-button" disabled={!ready} onClick={playground.exportPolicy}>
          Export the policy
        </button>,
      );
    const [earlier] = otherRuns(keeping);
    if (keeping.fromLink && earlier !== undefined)
      return {
        about: "link",
        troubled: false,
        text: `This link opened a run of its own. Your earlier run is kept (${placeOf(earlier)}).`,
        act: (
          <button type="button" className="text-button" onClick={() => playground.openStored(earlier.id)}>
            Open it
          </button>
        ),
      };
    if (keeping.offline !== null)
      return {
        about: "offline",
        troubled: false,
        text: "There is no room to keep this page for offline use. Everything else works.",
        detail: keeping.offline,
      };
    return null;
  })();
  if (line === null || (line.about === closed && line.lasting !== true)) return null;
  const { about, troubled, text, detail, act, lasting = false } = line;
  return (
    <div className="first-line is-quiet keeping-line" role="status" title={detail}>
      {troubled && <Icon name="warning" size={15} />}
      <p>
        {text} {act}
      </p>
      {!lasting && (
        <button type="button" className="icon-button" onClick={() => setClosed(about)} aria-label="Hide this line">
          <Icon name="close" />
        </button>
      )}
    </div>
  );
}
