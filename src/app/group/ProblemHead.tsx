/** The problem: its picture as the policy sees it, question and answer, and buttons for the step's other problems. */
import type { GroupRecord } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { PixelPicture } from "../parts/PixelPicture";
import { Why } from "../parts/Why";
import { type StepGroups, shown } from "../state/groups";
import { useGroups, usePlayground, useRun } from "../state/hooks";
import { canSteer } from "../state/run";
import { FAMILY_WORDS } from "../state/words";
import { GroupSummary } from "./GroupSummary";
import { PhaseLights } from "./PhaseLights";

const PICTURE_SIDE = 192;
/** Further pictures of a question about several. */
const MORE_SIDE = 72;
/** Characters above which a question is set as text, not as a headline. */
const LONG_QUESTION = 70;

function origin(step: StepGroups, now: number | null, ready: boolean): string {
  switch (step.origin) {
    case "prepared":
      return ready ? "Example group, until the policy has answered" : "Example group, until the engine is ready";
    case "sampled":
      return "New samples, not used for training";
    case "training":
      return now === null ? `Step ${step.step}` : `Looking back at step ${step.step}`;
    default:
      return step.origin satisfies never;
  }
}

/** Words of the families' questions that are not plain English. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/ max /, "max: the larger of the two."],
  [/ min /, "min: the smaller of the two."],
  [/^[A-D] [-+] [A-D] \?$/, "A to D are the bars; the number over a bar is its height."],
];

/** The question; where it is written in short, the short words are explained. */
function Question({ text }: { readonly text: string }) {
  const meaning = MEANINGS.find(([pattern]) => pattern.test(text))?.[1];
  if (meaning === undefined) return text;
  return <Why explain={() => ({ title: text, sentence: meaning })}>{text}</Why>;
}

export function ProblemHead({ group, step }: { readonly group: GroupRecord; readonly step: StepGroups }) {
  const playground = usePlayground();
  const selectedGroup = useGroups((state) => Math.min(state.selectedGroup, (shown(state)?.groups.length ?? 1) - 1));
  const viewedStep = useGroups((state) => state.viewedStep);
  const ready = useRun(canSteer);
  const count = step.groups.length;
  const select = (by: number): void =>
    playground.live.groups.change((state) => ({ ...state, selectedGroup: (selectedGroup + by + count) % count }));
  const { problem } = group;
  const size = problem.fullSize ?? problem.picture;
  return (
    <div className="problem">
      <PixelPicture
        picture={problem.picture}
        size={PICTURE_SIDE}
        alt={`${FAMILY_WORDS[problem.family] ?? problem.family}, ${size.width} by ${size.height} pixels`}
      />
      <div className="problem-text">
        <p className="problem-kind">
          {FAMILY_WORDS[problem.family] ?? problem.family}
          <span>{origin(step, viewedStep, ready)}</span>
          {group.filtered && <span className="problem-fate">left out by the filter</span>}
          {viewedStep !== null && (
            <button
              type="button"
              className="text-button"
              onClick={() => playground.live.groups.change((state) => ({ ...state, viewedStep: null }))}
            >
              Back to now
            </button>
          )}
        </p>
        <h1 className={problem.question.length > LONG_QUESTION ? "problem-question is-long" : "problem-question"}>
          <Question text={problem.question} />
        </h1>
        {problem.morePictures && (
          <div className="problem-more">
            {problem.morePictures.map((picture, index) => (
              <PixelPicture
                // biome-ignore lint/suspicious/noArrayIndexKey: the pictures of a problem are known by their order.
                key={index}
                picture={picture}
                size={MORE_SIDE}
                alt={`Picture ${index + 2}, ${picture.width} by ${picture.height} pixels`}
              />
            ))}
          </div>
        )}
        <p className="problem-answer">
          Right answer: <b>{problem.answer}</b>
        </p>
        <div className="problem-foot">
          {count > 1 && (
            <div className="problem-nav" role="group" aria-label="Problems of this step">
              <button
                type="button"
                className="icon-button"
                onClick={() => select(-1)}
                aria-label="Previous problem"
                title="Previous problem (P)"
              >
                <Icon name="left" />
              </button>
              <span className="tabular">
                problem {selectedGroup + 1} of {count}
              </span>
              <button
                type="button"
                className="icon-button"
                onClick={() => select(1)}
                aria-label="Next problem"
                title="Next problem (N)"
              >
                <Icon name="right" />
              </button>
            </div>
          )}
          {step.origin === "sampled" ? (
            <div className="problem-ask">
              <button type="button" className="button" disabled={!ready} onClick={() => playground.sample(false)}>
                <Icon name="dice" />
                Ask another
              </button>
              <button
                type="button"
                className="button"
                disabled={!ready}
                onClick={() => playground.sample(true)}
                title="Always takes the most likely word"
              >
                Ask greedily
              </button>
            </div>
          ) : (
            <PhaseLights />
          )}
        </div>
      </div>
      <GroupSummary step={step} group={group} />
    </div>
  );
}
