/** The page's header: name, stages, transport, backend, link, theme, help. */
import { Icon } from "../parts/Icon";
import { usePlayground, useRun, useView } from "../state/hooks";
import { storedRun } from "../state/keeping";
import { encodeLink } from "../state/link";
import { rememberRun } from "../state/runMemory";
import { setTaste, view } from "../state/view";
import { BackendBadge } from "./BackendBadge";
import { StageStepper } from "./StageStepper";
import { Transport } from "./Transport";

export function toggleTheme(): void {
  setTaste({ theme: document.documentElement.dataset.theme === "dark" ? "light" : "dark" });
}

function Mark() {
  return (
    <svg className="mark" width="26" height="26" viewBox="0 0 26 26" aria-hidden="true">
      <rect x="2" y="3" width="14" height="5" rx="2.5" fill="var(--first)" />
      <rect x="6" y="10.5" width="9" height="5" rx="2.5" fill="var(--reflection)" />
      <rect x="2" y="18" width="22" height="5" rx="2.5" fill="var(--refined)" />
    </svg>
  );
}

export function Header() {
  const playground = usePlayground();
  const theme = useView((state) => state.theme);
  const settings = useRun((state) => state.wanted);
  const start = useRun((state) => state.start);
  const recipe = useRun((state) => state.recipe);
  const served = useRun((state) => state.served !== null);
  const share = async (): Promise<void> => {
    const link = `${location.origin}${location.pathname}${encodeLink(settings, start, recipe)}`;
    history.replaceState(null, "", link);
    // This browser already has the run: opening or reloading the link resumes it.
    const id = storedRun(playground.live.keeping.store.getState());
    if (id !== null) rememberRun(id, location.hash);
    try {
      await navigator.clipboard.writeText(link);
      playground.notify(
        "info",
        "Link copied",
        link.includes("#")
          ? "It contains the starting policy, the recipe, and what your settings change about it."
          : "All settings are the defaults, so it is the plain address.",
      );
    } catch (error) {
      playground.notify(
        "info",
        "Copy the link from the address bar",
        `The browser did not allow copying: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  };
  return (
    <header className="header">
      <p className="brand">
        <Mark />
        <b>SRPO</b> Playground
      </p>
      <StageStepper />
      <Transport />
      <div className="header-end">
        <BackendBadge />
        <button
          type="button"
          className="icon-button only-narrow"
          onClick={() => view.setState({ sheet: true })}
          aria-label="Rewards and settings"
          title="Rewards and settings"
        >
          <Icon name="sliders" />
        </button>
        {/* The address of a served run contains its token, and its policy is on one machine only. */}
        {!served && (
          <button
            type="button"
            className="icon-button"
            onClick={() => void share()}
            aria-label="Copy a link to these settings"
            title="Copy a link to these settings"
          >
            <Icon name="link" />
          </button>
        )}
        <button
          type="button"
          className="icon-button"
          onClick={toggleTheme}
          aria-label="Light or dark theme"
          title={`Light or dark theme (T)${theme === "system" ? ", currently the system setting" : ""}`}
        >
          <Icon name="moon" />
        </button>
        <button
          type="button"
          className="icon-button"
          onClick={() => view.setState({ help: true })}
          aria-label="Help"
          title="Help (?)"
        >
          <Icon name="help" />
        </button>
      </div>
    </header>
  );
}
