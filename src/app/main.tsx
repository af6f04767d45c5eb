/** The page's start: stores, engine, prepared group, and React on top. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { drawn, openEngine, whenReady } from "./engine";
import { Boundary } from "./parts/Boundary";
import { downloadPolicy } from "./policy/exported";
import { PlaygroundContext } from "./state/hooks";
import { decodeLink, isFreshLink, servedToken } from "./state/link";
import { goOffline } from "./state/offline";
import { createPlayground } from "./state/playgroundController";
import { fetchPrepared } from "./state/prepared";
import { DEFAULT_START } from "./state/start";
import { followVisibility, keepAwake } from "./state/visibility";
import { Page } from "./views/Page";
import "./styles/index.css";

const place = document.getElementById("root");
if (place === null) throw new Error('index.html has no element with id "root".');

const token = servedToken(location.hash);

const prepared = token === null ? fetchPrepared(`${import.meta.env.BASE_URL}prepared.json`) : null;

/** A client whose engine starts later: commands wait for it. The page is drawn first, with the prepared group. */
const engine = whenReady(async () => {
  if (prepared !== null) await drawn(prepared);
  // The runner's page is there exactly as long as the runner.
  if (import.meta.env.PROD && token === null) await goOffline(`${import.meta.env.BASE_URL}sw.js`);
  return openEngine(crypto.randomUUID(), token, (error) => playground.fault(error));
});
const playground = createPlayground({ client: engine, onExported: (files) => downloadPolicy(files) });

followVisibility(playground);
keepAwake(playground);

prepared?.then(
  (group) => playground.prepare(group),
  (reason: unknown) => console.warn("There is no prepared group to show before the engine is ready.", reason),
);

if (token !== null) {
  // The runner has opened the policy already: to open means to join, and what is asked for here is not heard.
  playground.open({ kind: "files", files: [] }, { resume: true });
} else {
  const link = decodeLink(location.hash);
  if (!link.ok)
    playground.notify("warning", "The link's settings were not used", `${link.why}. The defaults are used instead.`);
  playground.open(
    { kind: "shipped", name: link.ok ? link.from : DEFAULT_START },
    { resume: !(link.ok && isFreshLink(location.hash, localStorage)), settings: link.ok ? link.settings : {} },
  );
}

createRoot(place).render(
  <StrictMode>
    <Boundary
      otherwise={(error) => (
        <p className="broken" role="alert">
          <b>The page could not be drawn.</b> {error.message} Reload it to go on from the last saved step.
        </p>
      )}
    >
      <PlaygroundContext value={playground}>
        <Page />
      </PlaygroundContext>
    </Boundary>
  </StrictMode>,
);
