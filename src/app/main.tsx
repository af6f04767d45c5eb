/** Starts the page: stores, engine, prepared group, React. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { drawn, openEngine, whenReady } from "./engine";
import { Boundary } from "./parts/Boundary";
import { downloadPolicy } from "./policy/exported";
import { PlaygroundContext } from "./state/hooks";
import { storedRun } from "./state/keeping";
import { decodeLink, servedToken } from "./state/link";
import { goOffline } from "./state/offline";
import { createPlayground } from "./state/playgroundController";
import { fetchPrepared } from "./state/prepared";
import { chooseRun, rememberRun } from "./state/runMemory";
import { DEFAULT_START } from "./state/start";
import { followVisibility, keepAwake } from "./state/visibility";
import { Page } from "./views/Page";
import "./styles/index.css";

const root = document.getElementById("root");
if (root === null) throw new Error('index.html has no element with id "root".');

const token = servedToken(location.hash);

const prepared = token === null ? fetchPrepared(`${import.meta.env.BASE_URL}prepared.json`) : null;

/** The engine starts after the page is drawn with the prepared group; commands wait for it. */
const engine = whenReady(async () => {
  if (prepared !== null) await drawn(prepared);
  // The runner's page needs the runner anyway.
  if (import.meta.env.PROD && token === null)
    await goOffline(`${import.meta.env.BASE_URL}sw.js`, (offline) =>
      playground.live.keeping.change((state) => ({ ...state, offline })),
    );
  return openEngine(crypto.randomUUID(), token, {
    onFault: (error) => playground.fault(error),
    onFailure: (message) => playground.engineFailed(message),
  });
});
const playground = createPlayground({ client: engine, onExported: (files) => downloadPolicy(files) });

followVisibility(playground);
keepAwake(playground);

prepared?.then(
  (group) => playground.prepare(group),
  (reason: unknown) => console.warn("No prepared group to show before the engine is ready.", reason),
);

if (token !== null) {
  // The runner has already opened the policy: open only joins, and its settings are ignored.
  playground.open({ kind: "files", files: [] }, { resume: true });
} else {
  const link = decodeLink(location.hash);
  if (!link.ok)
    playground.notify("warning", "The link's settings are not used", `${link.why}. Using the defaults instead.`);
  else if (link.refused.length > 0)
    playground.notify("warning", "Some of the link's settings are not used", `${link.refused.join("\n")}.`);
  playground.live.keeping.store.subscribe((state) => {
    const id = storedRun(state);
    if (id !== null) rememberRun(id, location.hash);
  });
  playground.open(
    { kind: "shipped", name: link.ok ? link.from : DEFAULT_START },
    {
      // A link that cannot be read starts nothing: the visitor's own run goes on.
      ...chooseRun(link.ok ? location.hash : "", new Date()),
      ...(link.ok ? { settings: link.settings, recipe: link.recipe } : { settings: {} }),
    },
  );
}

createRoot(root).render(
  <StrictMode>
    <Boundary
      otherwise={(error) => (
        <p className="broken" role="alert">
          <b>The page failed to draw.</b> {error.message} Reload it to continue from the last saved step.
        </p>
      )}
    >
      <PlaygroundContext value={playground}>
        <Page />
      </PlaygroundContext>
    </Boundary>
  </StrictMode>,
);
