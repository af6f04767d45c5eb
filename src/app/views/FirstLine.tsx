/** One line below the header: the sentence of a first visit, or what to know about the current run. */
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
  const served = useRun((state) => state.served !== null);
  const steering = useRun((state) => state.steering);
  const passed = opened?.passedOver.find(({ backend }) => backend === "webgpu");
  if (!steering) {
    return (
      <div className="first-line is-quiet">
        <p>
          Another tab controls this run. Moving the rewards here only previews their effect.{" "}
          <button type="button" className="text-button" onClick={playground.steer}>
            Take control
          </button>
        </p>
      </div>
    );
  }
  if (served) return null;
  if (!seen) {
    return (
      <div className="first-line">
        <p>
          This small model looks at a picture, answers, reflects, and answers again.{" "}
          <b>Press play to teach it to reflect well.</b>
        </p>
        {passed && opened && (
          <p className="first-line-backend">
            WebGPU is not available, so training runs on {BACKEND_WORDS[opened.backend]}: same results, slower.
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
        <p>Welcome back. The run continues from step {step}.</p>
        <button type="button" className="text-button" onClick={playground.reset}>
          Start over
        </button>
      </div>
    );
  }
  if (passed && opened && !backendLineClosed) {
    return (
      <div className="first-line is-quiet">
        <p>
          WebGPU is not available, so training runs on {BACKEND_WORDS[opened.backend]}: same results, slower.{" "}
          {passed.why}
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
