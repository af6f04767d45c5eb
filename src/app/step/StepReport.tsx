/** What a step did, in sentences, and the ratios of a step with several updates. */
import { useMemo } from "react";
import { explainStep } from "../../srpo/explainStep";
import { Icon } from "../parts/Icon";
import { Why } from "../parts/Why";
import { finishedStep } from "../state/history";
import { useGroups, useHistory } from "../state/hooks";
import { RatioHistogram } from "./RatioHistogram";

export function StepReport() {
  const rows = useHistory((state) => state.rows);
  const began = useHistory((state) => state.began);
  const current = useHistory((state) => state.settings);
  const viewed = useGroups((state) => state.viewedStep);
  const step = useMemo(() => finishedStep({ rows, began, settings: current }, viewed), [rows, began, current, viewed]);
  if (step === null) return null;
  const { metrics, settings } = step;
  return (
    <section className="step-report" aria-labelledby="step-report">
      <div className="step-said">
        <h2 id="step-report">
          What step <span className="tabular">{metrics.step}</span> did
        </h2>
        <ul>
          {explainStep(metrics, settings).map(({ topic, text, why, loud }) => (
            <li key={topic} className={loud ? "is-loud" : undefined}>
              <Why explain={() => ({ title: text, sentence: why })}>
                {loud && <Icon name="warning" size={14} />}
                {text}
              </Why>
            </li>
          ))}
        </ul>
      </div>
      <RatioHistogram metrics={metrics} grpo={settings.grpo} />
    </section>
  );
}
