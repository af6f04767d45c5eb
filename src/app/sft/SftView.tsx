/** Stage 2: the reflection data being built, sample by sample, and what a record looks like. */
import type { ReflectionExample } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { PixelPicture } from "../parts/PixelPicture";
import { useReflections, useRun } from "../state/hooks";
import { FAMILY_WORDS, percent } from "../state/words";

/** The paper's share of right first answers in the data. */
const PAPER_RIGHT = 0.3;

const STRATEGY_WORDS = {
  correction: { label: "correction", what: "names what was read wrongly" },
  simplification: { label: "simplification", what: "says the right chain more briefly" },
} as const;

export function SftView() {
  const progress = useReflections((state) => state.progress);
  const examples = useReflections((state) => state.examples);
  const step = useRun((state) => state.step);
  const steps = useRun((state) => state.settings.sft.steps);
  const collected = progress?.collected ?? 0;
  const wanted = progress?.wanted ?? 1;
  const right = progress?.right ?? 0;
  const wrong = progress?.wrong ?? 0;
  const share = right / Math.max(1, right + wrong);
  const building = step === 0 && (progress === null || collected < wanted);
  return (
    <section className="sft" aria-labelledby="sft-title">
      <header className="sft-head">
        <div>
          <h1 id="sft-title">{building ? "Building the reflection data" : "Learning the form"}</h1>
          {building ? (
            <p className="sft-what">
              The policy answers; a teacher who knows the truth writes the reflection; a refined solution follows. Right
              but long-winded answers are <b>simplified</b>, wrong ones <b>corrected</b>.
            </p>
          ) : (
            <p className="sft-what">
              The policy learns to write such records by itself: every token after the question is made more likely, in
              small batches, until reflecting has become a habit. Whether it <b>helps</b> is taught by GRPO.
            </p>
          )}
        </div>
        <ol className="phases" aria-label="Parts of this stage">
          <li className={building ? "is-running" : "is-done"}>
            <i aria-hidden="true" />
            Collect
          </li>
          <li className={building ? "" : step >= steps ? "is-done" : "is-running"}>
            <i aria-hidden="true" />
            Fine-tune
          </li>
        </ol>
      </header>
      <div className="sft-progress">
        <p className="sft-count tabular">
          <b>{collected.toLocaleString("en")}</b> of {wanted.toLocaleString("en")} records
        </p>
        <div
          className="sft-bar"
          role="img"
          aria-label={`${right} right and ${wrong} wrong first answers of ${wanted} wanted`}
        >
          <i className="fill-right" style={{ width: `${(100 * right) / wanted}%` }} />
          <i className="fill-wrong" style={{ width: `${(100 * wrong) / wanted}%` }} />
        </div>
        <ul className="sft-split tabular">
          <li>
            <i className="swatch fill-right" aria-hidden="true" />
            <b>{right.toLocaleString("en")}</b> right at first <span>{percent(share)}</span>
          </li>
          <li>
            <i className="swatch fill-wrong" aria-hidden="true" />
            <b>{wrong.toLocaleString("en")}</b> wrong at first <span>{percent(1 - share)}</span>
          </li>
          {progress !== null && progress.discarded > 0 && (
            <li className="is-quiet">
              <b>{progress.discarded.toLocaleString("en")}</b> unreadable, left out
            </li>
          )}
          <li className="is-quiet">in the paper {percent(PAPER_RIGHT)} right</li>
        </ul>
      </div>
      <div className="example-heads" aria-hidden="true">
        <span>Problem</span>
        <span className="head-first">
          <Icon name="first" size={14} />
          Its own first solution
        </span>
        <span className="head-reflection">
          <Icon name="reflection" size={14} />
          The teacher's reflection
        </span>
        <span className="head-refined">
          <Icon name="refined" size={14} />
          The refined solution
        </span>
      </div>
      {examples.length === 0 ? (
        <p className="sft-empty">The first records appear as soon as training is under way.</p>
      ) : (
        <ul className="examples" aria-label="Newest records">
          {examples.map((example, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: records repeat; counted from the oldest, a number stays.
            <Example key={`${example.problem.id}:${examples.length - at}`} example={example} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Example({
  example: { problem, strategy, firstRight, firstSolution, reflection, refinedSolution },
}: {
  readonly example: ReflectionExample;
}) {
  const { label, what } = STRATEGY_WORDS[strategy];
  return (
    <li className="example">
      <div className="example-problem">
        <PixelPicture picture={problem.picture} size={64} alt={FAMILY_WORDS[problem.family] ?? problem.family} />
        <p>
          <b>{problem.question}</b>
          <span>= {problem.answer}</span>
        </p>
      </div>
      <div className="segment segment-first" data-label="First">
        <span className={`answer ${firstRight ? "is-right" : "is-wrong"}`}>
          <Icon name={firstRight ? "check" : "cross"} size={11} />
          {firstSolution.answer}
        </span>
        <span className="thought">{firstSolution.think}</span>
      </div>
      <div className="segment segment-reflection" data-label="Teacher">
        <span className="strategy" title={what}>
          {label}
        </span>
        <span className="thought">{reflection}</span>
      </div>
      <div className="segment segment-refined" data-label="Refined">
        <span className="answer is-right">
          <Icon name="check" size={11} />
          {refinedSolution.answer}
        </span>
        <span className="thought">{refinedSolution.think}</span>
      </div>
    </li>
  );
}
