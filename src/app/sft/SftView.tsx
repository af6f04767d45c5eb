/** Stage 2: the reflection data as it is collected, and the newest examples. */
import type { ReflectionExample } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { PixelPicture } from "../parts/PixelPicture";
import { useReflections, useRun } from "../state/hooks";
import { FAMILY_WORDS, percent } from "../state/words";

/** The paper's share of right first answers. */
const PAPER_RIGHT = 0.3;

const STRATEGY_WORDS = {
  correction: { label: "correction", what: "names what was misread" },
  simplification: { label: "simplification", what: "shortens right reasoning" },
} as const;

export function SftView() {
  const progress = useReflections((state) => state.progress);
  const examples = useReflections((state) => state.examples);
  const step = useRun((state) => state.step);
  const steps = useRun((state) => state.settings.sft.steps);
  const collected = progress?.collected ?? 0;
  const planned = useRun((state) => state.settings.sft.examples);
  const wanted = progress?.wanted ?? planned;
  const right = progress?.right ?? 0;
  const wrong = progress?.wrong ?? 0;
  const answered = right + wrong > 0;
  const share = right / Math.max(1, right + wrong);
  const building = step === 0 && (progress === null || collected < wanted);
  return (
    <section className="sft" aria-labelledby="sft-title">
      <header className="sft-head">
        <div>
          <h1 id="sft-title">{building ? "Collecting reflection data" : "Learning the format"}</h1>
          {building ? (
            <p className="sft-what">
              The policy answers; a teacher that knows the right answer writes a reflection and a refined solution.
              Right but long solutions are <b>simplified</b>, wrong ones <b>corrected</b>.
            </p>
          ) : (
            <p className="sft-what">
              The policy learns to write such examples itself: each batch makes every token after the question more
              likely. It learns to reflect here; GRPO teaches it to reflect <b>helpfully</b>.
            </p>
          )}
        </div>
        <ol className="phases" aria-label="Phases of this stage">
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
          <b>{collected.toLocaleString("en")}</b> of {wanted.toLocaleString("en")} examples
        </p>
        <div
          className="sft-bar"
          role="img"
          aria-label={`${right} right and ${wrong} wrong first answers, ${wanted} needed`}
        >
          <i className="fill-right" style={{ width: `${(100 * right) / wanted}%` }} />
          <i className="fill-wrong" style={{ width: `${(100 * wrong) / wanted}%` }} />
        </div>
        <ul className="sft-split tabular">
          <li>
            <i className="swatch fill-right" aria-hidden="true" />
            <b>{right.toLocaleString("en")}</b> right first answers <span>{answered ? percent(share) : ""}</span>
          </li>
          <li>
            <i className="swatch fill-wrong" aria-hidden="true" />
            <b>{wrong.toLocaleString("en")}</b> wrong first answers <span>{answered ? percent(1 - share) : ""}</span>
          </li>
          {progress !== null && progress.discarded > 0 && (
            <li className="is-quiet">
              <b>{progress.discarded.toLocaleString("en")}</b> unreadable, skipped
            </li>
          )}
          <li className="is-quiet">paper: {percent(PAPER_RIGHT)} right</li>
        </ul>
      </div>
      <div className="example-heads" aria-hidden="true">
        <span>Problem</span>
        <span className="head-first">
          <Icon name="first" size={14} />
          First solution
        </span>
        <span className="head-reflection">
          <Icon name="reflection" size={14} />
          Teacher's reflection
        </span>
        <span className="head-refined">
          <Icon name="refined" size={14} />
          Refined solution
        </span>
      </div>
      {examples.length === 0 ? (
        <p className="sft-empty">The first examples appear when training starts.</p>
      ) : (
        <ul className="examples" aria-label="Newest examples">
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
  example: { problem, strategy, firstRight, firstSolution, reflection, refinedSolution, laterRounds = [] },
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
        <span className="thought">{[reflection, ...laterRounds.map((round) => round.reflection)].join(" · ")}</span>
      </div>
      <div className="segment segment-refined" data-label="Refined">
        <span className="answer is-right">
          <Icon name="check" size={11} />
          {refinedSolution.answer}
        </span>
        <span className="thought">
          {[refinedSolution, ...laterRounds.map(({ solution }) => solution)].map(({ think }) => think).join(" · ")}
        </span>
      </div>
    </li>
  );
}
