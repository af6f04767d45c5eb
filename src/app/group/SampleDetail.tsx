/** The opened row: the full response with its tags, its format errors, and the reason for every term. */
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
            label={`Response ${row + 1}, full text`}
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
          {whole.tokens > sample.tokens.length && ` (first ${sample.tokens.length} shown)`} · log p{" "}
          {number(whole.logprob)} · mean entropy {number(whole.entropy / Math.max(1, whole.tokens), 3)} nats
          {facts && <> · first solution {facts.baseTokens} tokens</>}
        </p>
      </td>
    </tr>
  );
}
