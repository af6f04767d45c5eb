/** Messages from the run: what happened, and what happens next. */
import { useEffect } from "react";
import { Icon } from "../parts/Icon";
import { usePlayground, useRun } from "../state/hooks";

const INFO_MS = 7000;

export function Notices() {
  const playground = usePlayground();
  const notices = useRun((state) => state.notices);
  // Info disappears by itself; warnings and errors stay until dismissed.
  const news = notices.find(({ kind }) => kind === "info")?.id;
  useEffect(() => {
    if (news === undefined) return;
    const timer = setTimeout(() => playground.dismiss(news), INFO_MS);
    return () => clearTimeout(timer);
  }, [news, playground]);
  return (
    <div className="notices" role="status" aria-live="polite">
      {notices.map(({ id, kind, title, text }) => (
        <div key={id} className={`notice is-${kind}`} role={kind === "error" ? "alert" : undefined}>
          <Icon name={kind === "info" ? "check" : "warning"} />
          <p>
            <b>{title}</b>
            {text}
          </p>
          <button
            type="button"
            className="icon-button"
            onClick={() => playground.dismiss(id)}
            aria-label={`Dismiss: ${title}`}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
