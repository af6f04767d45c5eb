/** The policy's own first solutions of a data set's records, which a teacher then reflects on. */
import type { Policy } from "../../policy/policy";
import { checkPrompt } from "../../training/promptCheck";
import { streamStep } from "../../training/randomStreams";
import { encodeProblem, sampleRows } from "../../training/rollout";
import type { Settings } from "../../training/settings";
import type { TrainingProblem } from "../../training/trainingProblem";
import { textOf } from "../../training/transcript";
import type { DataRecord, DataRecords } from "./dataRecords";
import { checkedProblem } from "./dataSource";
import { type RecordFaults, UnusableRecordError } from "./recordFaults";
import { usableOrFault } from "./takeUsable";

/** One record that the policy can be shown. */
export interface Asked {
  readonly at: number;
  readonly record: DataRecord;
  readonly problem: TrainingProblem;
}

/** The policy's own solution of it. */
export interface Answer extends Asked {
  readonly response: string;
}

/** The records of a chunk that can be used. */
export async function askable(
  policy: Policy,
  data: DataRecords,
  indices: readonly number[],
  instruction: string,
  settings: Settings,
  faults: RecordFaults,
): Promise<Asked[]> {
  const check = (problem: TrainingProblem): unknown => checkPrompt(policy, problem, settings);
  const loaded = await Promise.all(indices.map((at) => usableOrFault(checkedProblem(data, at, instruction, check))));
  return loaded.flatMap((problem, i): Asked[] => {
    const at = indices[i] ?? 0;
    const record = data.records[at];
    if (record === undefined) return [];
    if (!(problem instanceof UnusableRecordError)) return [{ at, record, problem }];
    faults.found(problem.record);
    return [];
  });
}

/** The policy's own first solutions; always the same for a record while its chunk has the same usable records. */
export async function answers(
  policy: Policy,
  asked: readonly Asked[],
  chunk: number,
  settings: Settings,
): Promise<Answer[]> {
  const prompts = asked.map(({ problem }) => encodeProblem(policy, problem));
  const options = { groupSize: 1, settings, step: streamStep("sft", chunk) };
  const rows = await sampleRows(policy, prompts, null, options, null);
  return asked.map((each, i) => ({
    ...each,
    response: textOf(policy, rows[i]?.[0]?.tokens ?? [], settings.rollout.stopStrings),
  }));
}
