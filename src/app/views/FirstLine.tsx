/** The one sentence of a first visit, and what is worth knowing about where the run is now. */
import { useState } from "react";
import { Icon } from "../parts/Icon";
import { usePlayground, useRun, useView } from "../state/hooks";
import { setTaste } from "../state/view";
import { BACKEND_WORDS } from "../state/words";

export function FirstLine() {
  const playground = usePlayground();
  const [backendLineClosed, setBackendLineClosed] = useState(false);
  const seen = useView((state) => state.firstLineSeen);
  const opened = useRun((state) => state.opened);
  const resumed = useRun((state) => state.opened?.resumed === true && !state.playing);
  const step = useRun((state) => state.step);
  const served = useRun((state) => state.served);
  const ready = useRun((state) => state.status === "ready");
  const passed = opened?.passedOver.find(({ backend }) => backend === "webgpu");
  if (served !== null) {
    if (served.steering) return null;
    return (
      <div className="first-line is-quiet">
        <p>This tab watches: another one steers the run. Rewards moved here only show what they would do.</p>
        <button type="button" className="text-button" disabled={!ready} onClick={playground.steer}>
          Steer from here
        </button>
      </div>
    );
  }
  if (!seen) {
    return (
      <div className="first-line">
        <p>
          This small model looks at a picture, answers, reflects, and answers again.{" "}
          <b>Press play to teach it to reflect well.</b>
        </p>
        {passed && opened && (
          <p className="first-line-backend">
            Without WebGPU it trains on {BACKEND_WORDS[opened.backend]}: the same, only slower.
          </p>
        )}
        <button
          type="button"
          className="icon-button"
          onClick={() => setTaste({ firstLineSeen: true })}
          aria-label="Hide this line"
        >
          <Icon name="close" />
        </button>
      </div>
    );
  }
  if (resumed && step > 0) {
    return (
      <div className="first-line is-quiet">
        <p>Welcome back: the run goes on from step {step}, as you left it.</p>
        <button type="button" className="text-button" onClick={playground.reset}>
          start over
        </button>
      </div>
    );
  }
  if (passed && opened && !backendLineClosed) {
    return (
      <div className="first-line is-quiet">
        <p>
          Without WebGPU it trains on {BACKEND_WORDS[opened.backend]}: the same, only slower. {passed.why}
        </p>
        <button
          type="button"
          className="icon-button"
          onClick={() => setBackendLineClosed(true)}
          aria-label="Hide this line"
        >
          <Icon name="close" />
        </button>
      </div>
    );
  }
  return null;
}
