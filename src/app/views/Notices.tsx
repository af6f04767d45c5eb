/** Messages from the run: what went wrong, where, and what happens now. */
import { useEffect } from "react";
import { Icon } from "../parts/Icon";
import { usePlayground, useRun } from "../state/hooks";

const NEWS_MS = 7000;

export function Notices() {
  const playground = usePlayground();
  const notices = useRun((state) => state.notices);
  // Good news leaves by itself; anything else waits until it was read.
  const news = notices.find(({ kind }) => kind === "info")?.id;
  useEffect(() => {
    if (news === undefined) return;
    const timer = setTimeout(() => playground.dismiss(news), NEWS_MS);
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
