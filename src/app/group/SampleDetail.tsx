/** The opened row: the response word for word with its tags, why its format failed, and every term with its reason. */
import { explainTerm } from "../../srpo/explain";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { type ShownRow, scoreOf } from "../state/rescoring";
import { wholeOf } from "../state/tokens";
import { number, TERMS } from "../state/words";
import { Tokens } from "./Tokens";

interface SampleDetailProps {
  readonly sample: SampleRecord;
  readonly shown: ShownRow;
  readonly row: number;
  readonly settings: Settings;
}

export function SampleDetail({ sample, shown: { facts }, row, settings }: SampleDetailProps) {
  const score = scoreOf(sample);
  const whole = wholeOf(sample);
  return (
    <tr className="detail">
      <td colSpan={8}>
        <p className="detail-text">
          <Tokens
            sample={sample}
            at={sample.tokens.map((_, at) => at)}
            grpo={settings.grpo}
            label={`Response ${row + 1}, word for word`}
            reachable
          />
        </p>
        {score && score.formatReasons.length > 0 && (
          <ul className="detail-flaws">
            {score.formatReasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        )}
        {facts && (
          <dl className="detail-terms">
            {TERMS.map(({ key, label }) => (
              <div key={key}>
                <dt>
                  <i className={`swatch term-${key}`} aria-hidden="true" />
                  {label}
                </dt>
                <dd>{explainTerm(key, facts, settings.reward).sentence}</dd>
              </div>
            ))}
          </dl>
        )}
        <p className="detail-numbers">
          {whole.tokens} tokens
          {whole.tokens > sample.tokens.length && ` (the first ${sample.tokens.length} are shown)`} · log p{" "}
          {number(whole.logprob)} · mean entropy {number(whole.entropy / Math.max(1, whole.tokens), 3)} nats
          {facts && <> · first think and answer {facts.baseTokens} tokens</>}
        </p>
      </td>
    </tr>
  );
}
