/** The middle of the page: the selected group, or the SFT data. */
import { GroupTable } from "../group/GroupTable";
import { ProblemHead } from "../group/ProblemHead";
import { SftView } from "../sft/SftView";
import { shown, shownGroup } from "../state/groups";
import { useGroups, useRun } from "../state/hooks";
import { StepReport } from "../step/StepReport";

export function Middle() {
  const stage = useRun((state) => state.stage);
  const settings = useRun((state) => state.wanted);
  const failed = useRun((state) => state.status === "failed");
  const step = useGroups(shown);
  const group = useGroups(shownGroup);
  if (stage === "sft")
    return (
      <main className="middle">
        <SftView />
      </main>
    );
  if (step === null || group === null) {
    return (
      <main className="middle">
        <div className="middle-empty">
          <p>
            {failed
              ? "No policy is loaded. See the message above."
              : stage === "grpo"
                ? "Press play or take a step to see the first group."
                : "A group appears here when the policy has answered."}
          </p>
        </div>
      </main>
    );
  }
  return (
    <main className="middle">
      <ProblemHead group={group} step={step} />
      <GroupTable
        key={group.problem.id}
        group={group}
        stepGroups={step.origin === "training" ? step.groups : [group]}
        settings={settings}
        onlyShown={step.origin !== "training"}
      />
      {stage === "grpo" && step.origin === "training" && <StepReport />}
    </main>
  );
}
