/** Choose the starting policy; export the trained one. */
import { useEffect, useRef, useState } from "react";
import { Icon } from "../parts/Icon";
import { useKeeping, usePlayground, useRun } from "../state/hooks";
import { otherRuns } from "../state/keeping";
import { canSteer } from "../state/run";
import { SHIPPED, type ShippedName } from "../state/start";
import { placeOf } from "../state/words";
import { policyFromDrop, policyFromPicker } from "./dropped";

const LABELS: Readonly<Record<ShippedName, string>> = {
  base: "base policy",
  sft: "after reflection SFT",
  srpo: "after SRPO",
};

export function PolicyDoor() {
  const playground = usePlayground();
  const ready = useRun(canSteer);
  const start = useRun((state) => state.start);
  const served = useRun((state) => state.served);
  const keeping = useKeeping((state) => state);
  const others = otherRuns(keeping);
  const [dragging, setDragging] = useState(false);
  const picker = useRef<HTMLInputElement>(null);

  const openFiles = (reading: Promise<Parameters<typeof playground.open>[0]>): void => {
    reading.then(
      (source) => {
        playground.open(source);
      },
      (error: unknown) =>
        playground.notify("error", "Cannot open the folder", error instanceof Error ? error.message : String(error)),
    );
  };

  const fixed = served !== null;
  useEffect(() => {
    if (fixed) return;
    const over = (event: DragEvent): void => {
      if (event.dataTransfer?.types.includes("Files")) {
        event.preventDefault();
        setDragging(true);
      }
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setDragging(false);
    };
    const drop = (event: DragEvent): void => {
      setDragging(false);
      if (!event.dataTransfer || event.dataTransfer.items.length === 0) return;
      event.preventDefault();
      openFiles(policyFromDrop(event.dataTransfer.items));
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  });

  return (
    <div className="policy-door">
      {served !== null && (
        <p className="policy-served" title={served.policy}>
          <span>Policy</span> {served.policy}
        </p>
      )}
      {served === null && (
        <label>
          <span>Start from</span>
          <select
            value={start}
            onChange={(event) => {
              const shipped = SHIPPED.find((name) => name === event.target.value);
              if (shipped) playground.open({ kind: "shipped", name: shipped });
              if (event.target.value === "pick") picker.current?.click();
              const kept = others.find(({ id }) => `run:${id}` === event.target.value);
              if (kept) playground.openStored(kept.id);
            }}
          >
            {SHIPPED.map((name) => (
              <option key={name} value={name}>
                {LABELS[name]}
              </option>
            ))}
            {start === "own" && <option value="own">your folder</option>}
            <option value="pick">checkpoint folder …</option>
            {others.length > 0 && (
              <optgroup label="Kept runs">
                {others.map((run) => (
                  <option key={run.id} value={`run:${run.id}`}>
                    {run.name} · {placeOf(run)}
                  </option>
                ))}
              </optgroup>
            )}
          </select>
        </label>
      )}
      <input
        ref={picker}
        type="file"
        className="visually-hidden"
        tabIndex={-1}
        aria-hidden="true"
        multiple
        {...{ webkitdirectory: "" }}
        onChange={(event) => {
          if (event.target.files && event.target.files.length > 0) openFiles(policyFromPicker(event.target.files));
          event.target.value = "";
        }}
      />
      <button
        type="button"
        className="button"
        disabled={!ready}
        onClick={playground.exportPolicy}
        title="Download the trained policy as a Hugging Face folder"
      >
        <Icon name="download" />
        Export
      </button>
      {dragging && (
        <div className="drop-veil" aria-hidden="true">
          <p>
            <Icon name="folder" size={28} />
            Drop a Hugging Face checkpoint folder to train it here
          </p>
        </div>
      )}
    </div>
  );
}
