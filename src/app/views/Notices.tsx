/** Messages from the run: what went wrong, where, and what happens now. */
import { Icon } from "../parts/Icon";
import { useRun, useSession } from "../state/hooks";

export function Notices() {
  const session = useSession();
  const notices = useRun((state) => state.notices);
  return (
    <div className="notices" role="status" aria-live="polite">
      {notices.map(({ id, kind, title, text }) => (
        <div key={id} className={`notice is-${kind}`} role={kind === "error" ? "alert" : undefined}>
          <Icon name={kind === "info" ? "check" : "warning"} />
          <p><b>{title}</b>{text}</p>
          <button type="button" className="icon-button" onClick={() => session.dismiss(id)} aria-label={`Dismiss: ${title}`}><Icon name="close" /></button>
        </div>
      ))}
    </div>
  );
}
