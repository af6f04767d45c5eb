/** One problem on request: sampled, scored and normalised as a step's groups are; nothing is trained. */
import type { Policy } from "../policy/policy";
import { GroupStep } from "./groupStep";
import type { DataParallel } from "./parallel/parallel";
import { streamStep } from "./randomStreams";
import type { GroupRecord } from "./records";
import type { Scorer } from "./score";
import type { Settings } from "./settings";
import type { TrainingProblem } from "./trainingProblem";

/** @param count how many problems were sampled on request before: position in their random stream */
export async function sampleOnce(
  policy: Policy,
  problem: TrainingProblem,
  greedy: boolean,
  settings: Settings,
  count: number,
  { parallel, scorer }: { readonly parallel: DataParallel | null; readonly scorer: Scorer | undefined },
): Promise<GroupRecord> {
  // No filter, refill or continued response: they concern a step.
  const chosen = {
    ...settings,
    temperature: greedy ? 0 : settings.temperature,
    grpo: { ...settings.grpo, onlineFilter: null, refills: 0, rethinking: null },
  };
  const position = { stream: streamStep("sample", count), step: 0, draw: 0 };
  const step = await GroupStep.rollout(policy, [{ problem, prefix: [] }], chosen, position, parallel);
  try {
    step.score(scorer);
    await step.normalise(null);
    const [group] = step.groups;
    if (group === undefined) throw new Error("sample: the rollout gave no group");
    return group;
  } finally {
    step.dispose();
  }
}
