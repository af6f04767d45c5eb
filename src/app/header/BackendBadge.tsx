/**
 * Where the policy runs: backend, adapter, speed; in the panel the start-up times and why faster backends were skipped.
 */
import { useId, useState } from "react";
import { Icon } from "../parts/Icon";
import { useRun } from "../state/hooks";
import { BACKEND_WORDS, number } from "../state/words";

const PROGRESS_WORDS = {
  download: "Loading the policy",
  device: "Opening the device",
  selfTest: "Testing the kernels",
  load: "Loading the weights",
  evaluate: "Evaluating",
  restore: "Restoring",
} as const;

const milliseconds = (value: number): string =>
  value >= 1000 ? `${number(value / 1000, 1)} s` : `${Math.round(value)} ms`;

export function BackendBadge() {
  const [open, setOpen] = useState(false);
  const panel = useId();
  const status = useRun((state) => state.status);
  const progress = useRun((state) => state.progress);
  const opened = useRun((state) => state.opened);
  const seconds = useRun((state) => state.secondsPerStep);
  const served = useRun((state) => state.served);
  if (opened === null || status === "starting") {
    return (
      <p className={`badge is-starting${status === "failed" ? " is-failed" : ""}`} role="status">
        <i className="badge-light" aria-hidden="true" />
        {status === "failed" ? "No policy loaded" : progress ? PROGRESS_WORDS[progress.what] : "Starting the engine"}
        {progress && progress.total > 0 && (
          <progress max={progress.total} value={progress.done} aria-label={PROGRESS_WORDS[progress.what]} />
        )}
      </p>
    );
  }
  const where =
    status === "recovering"
      ? "Recovering"
      : status === "disconnected"
        ? "Disconnected"
        : served
          ? "Node"
          : BACKEND_WORDS[opened.backend];
  const title = served ? `${opened.adapter} · ${served.policy}` : opened.adapter;
  const passed = opened.passedOver[0];
  const { download, device, pipelines, selfTest, load } = opened.costs;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the card closes as focus leaves, or on Escape.
    <div
      className="badge-place"
      onKeyDown={(event) => {
        if (event.key === "Escape") setOpen(false);
      }}
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <button
        type="button"
        className={`badge is-${status} backend-${opened.backend}`}
        aria-expanded={open}
        aria-controls={panel}
        onClick={() => setOpen(!open)}
      >
        <i className="badge-light" aria-hidden="true" />
        <b>{where}</b>
        <span className="badge-adapter" title={title}>
          {title}
        </span>
        {seconds !== null && (
          <span className="badge-pace tabular">
            {seconds < 1 ? `${number(1 / seconds, 1)} steps/s` : `${number(seconds, 1)} s/step`}
          </span>
        )}
      </button>
      <div id={panel} className="badge-panel" hidden={!open} tabIndex={-1}>
        <h2>
          <Icon name="chip" />
          {served ? "Training in Node" : "Training in this tab"}
        </h2>
        {served && (
          <p>
            The run is in a Node process on your machine and continues when this tab is closed. Policy: {served.policy}.
            {served.data !== null && <> Problems: {served.data}.</>}
          </p>
        )}
        <p>
          {BACKEND_WORDS[opened.backend]} on {opened.adapter}. {(opened.parameters / 1e6).toFixed(2)} M parameters.
          {opened.features.length > 0 && ` Uses ${opened.features.join(", ")}.`}
        </p>
        {passed && (
          <p className="badge-passed">
            <b>{BACKEND_WORDS[passed.backend]} was skipped:</b> {passed.why}
          </p>
        )}
        <table>
          <caption>Start-up time</caption>
          <tbody>
            <tr>
              <th scope="row">Download</th>
              <td>{milliseconds(download)}</td>
            </tr>
            <tr>
              <th scope="row">Device</th>
              <td>{milliseconds(device)}</td>
            </tr>
            <tr>
              <th scope="row">Compiling kernels</th>
              <td>{milliseconds(pipelines)}</td>
            </tr>
            <tr>
              <th scope="row">Self-test against the reference</th>
              <td>{milliseconds(selfTest)}</td>
            </tr>
            <tr>
              <th scope="row">Loading the weights</th>
              <td>{milliseconds(load)}</td>
            </tr>
            <tr className="total">
              <th scope="row">Total</th>
              <td>{milliseconds(download + device + pipelines + selfTest + load)}</td>
            </tr>
          </tbody>
        </table>
      </div>
    </div>
  );
}
