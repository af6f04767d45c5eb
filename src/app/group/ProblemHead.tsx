/**
 * The problem on show: its picture as the policy sees it, the question, the answer, and the way to the other problems.
 */
import type { GroupRecord } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { PixelPicture } from "../parts/PixelPicture";
import { type StepGroups, shown } from "../state/groups";
import { useGroups, usePlayground, useRun } from "../state/hooks";
import { canSteer } from "../state/run";
import { FAMILY_WORDS } from "../state/words";
import { GroupSummary } from "./GroupSummary";
import { PhaseLights } from "./PhaseLights";

const PICTURE_SIDE = 192;
/** Pictures after the first, of a data set's question about several. */
const MORE_SIDE = 72;
/** Letters of a question beyond which it is set as text, not as a headline. */
const LONG_QUESTION = 70;

function origin(step: StepGroups, now: number | null, ready: boolean): string {
  switch (step.origin) {
    case "prepared":
      return ready
        ? "A prepared group, until the policy has answered"
        : "A prepared group, shown until the engine is ready";
    case "sampled":
      return "Fresh samples; nothing is trained on them";
    case "training":
      return now === null ? `Step ${step.step}` : `Looking back at step ${step.step}`;
    default:
      return step.origin satisfies never;
  }
}

export function ProblemHead({ group, step }: { readonly group: GroupRecord; readonly step: StepGroups }) {
  const playground = usePlayground();
  const selectedGroup = useGroups((state) => Math.min(state.selectedGroup, (shown(state)?.groups.length ?? 1) - 1));
  const viewedStep = useGroups((state) => state.viewedStep);
  const ready = useRun(canSteer);
  const count = step.groups.length;
  const choose = (by: number): void =>
    playground.live.groups.change((state) => ({ ...state, selectedGroup: (selectedGroup + by + count) % count }));
  const { problem } = group;
  const size = problem.fullSize ?? problem.picture;
  return (
    <div className="problem">
      <PixelPicture
        picture={problem.picture}
        size={PICTURE_SIDE}
        alt={
          `The picture of the problem, ${size.width} by ${size.height} pixels: ` +
          `${FAMILY_WORDS[problem.family] ?? problem.family}`
        }
      />
      <div className="problem-text">
        <p className="problem-kind">
          {FAMILY_WORDS[problem.family] ?? problem.family}
          <span>{origin(step, viewedStep, ready)}</span>
          {viewedStep !== null && (
            <button
              type="button"
              className="text-button"
              onClick={() => playground.live.groups.change((state) => ({ ...state, viewedStep: null }))}
            >
              back to now
            </button>
          )}
        </p>
        <h1 className={problem.question.length > LONG_QUESTION ? "problem-question is-long" : "problem-question"}>
          {problem.question}
        </h1>
        {problem.morePictures && (
          <div className="problem-more">
            {problem.morePictures.map((picture, index) => (
              <PixelPicture
                // biome-ignore lint/suspicious/noArrayIndexKey: the pictures of a problem are known by their order.
                key={index}
                picture={picture}
                size={MORE_SIDE}
                alt={`Picture ${index + 2} of the problem, ${picture.width} by ${picture.height} pixels`}
              />
            ))}
          </div>
        )}
        <p className="problem-answer">
          The right answer is <b>{problem.answer}</b>
        </p>
        <div className="problem-foot">
          {count > 1 && (
            <div className="problem-nav" role="group" aria-label="Problems of this step">
              <button
                type="button"
                className="icon-button"
                onClick={() => choose(-1)}
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
                onClick={() => choose(1)}
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
                title="Always the most probable word"
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
