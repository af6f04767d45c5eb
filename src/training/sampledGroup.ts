/**
 * A group as the rollout left it: the problem, how its responses begin, the sampled tokens, and what forced rethinking
 * made of some of them. Records for the page and the log are made from it (transcript.ts), and a snapshot keeps it.
 */
import type { EncodedPrompt, FeatureBank } from "../policy/layers/packing";
import type { Policy } from "../policy/policy";
import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import { rethinkingStream } from "./randomStreams";
import { rethink } from "./rethinking";
import { encodeProblem, sampleRows } from "./rollout";
import type { Settings } from "./settings";
import type { RethoughtRow, SampledRow, StoredGroup } from "./state";
import type { TrainingProblem } from "./trainingProblem";
import { UnusableProblemError } from "./unusableProblem";

/** A problem to answer, from the beginning of a response on where there is one (src/srpo/failureBuffer.ts). */
export interface GroupStart {
  readonly problem: TrainingProblem;
  /** Tokens of a first solution after which every response of the group goes on; usually none. */
  readonly prefix: readonly number[];
}

export interface SampledGroup extends GroupStart {
  /** With the prefix after it: what the rows are responses to. */
  readonly prompt: EncodedPrompt;
  readonly rows: readonly SampledRow[];
  /** Responses continued after a trigger. */
  readonly rethought: readonly RethoughtRow[];
}

/** Which draw of which step this is: 0 the first, then its refills. */
export interface DrawPosition {
  /** Position in the random streams. */
  readonly stream: number;
  readonly step: number;
  readonly draw: number;
}

export function promptOf(policy: Policy, { problem, prefix }: GroupStart): EncodedPrompt {
  return policy.continuePrompt(encodeProblem(policy, problem), prefix);
}

/** @param prompts one a start; @param features that hold them */
export async function sampleGroups(
  policy: Policy,
  starts: readonly GroupStart[],
  prompts: readonly EncodedPrompt[],
  features: FeatureBank | null,
  settings: Settings,
  { stream, step, draw }: DrawPosition,
  parallel: DataParallel | null,
): Promise<SampledGroup[]> {
  const options = { groupSize: settings.grpo.groupSize, step: stream, settings };
  const rows = await sampleRows(policy, prompts, features, options, parallel);
  const sampled = starts.flatMap((start, i): SampledGroup[] => {
    const prompt = prompts[i];
    return prompt === undefined ? [] : [{ ...start, prompt, rows: rows[i] ?? [], rethought: [] }];
  });
  const { rethinking } = settings.grpo;
  if (rethinking === null) return sampled;
  const rethought = await rethink(policy, sampled, rethinking, settings, rethinkingStream(step, draw), parallel);
  return sampled.map((group, i) => ({ ...group, rethought: rethought[i] ?? [] }));
}

export function storeGroup({ problem, prefix, rows, rethought }: SampledGroup): StoredGroup {
  return { problem: problem.id, prefix: [...prefix], rows: [...rows], rethought: [...rethought] };
}

/** @throws Error when the source has no problem of its id */
export async function recallGroup(
  policy: Policy,
  { problem: id, prefix, rows, rethought }: StoredGroup,
  source: ProblemSource,
): Promise<SampledGroup> {
  const problem = await sampledProblem(id, source);
  return { problem, prefix, rows, rethought, prompt: promptOf(policy, { problem, prefix }) };
}

/** No other problem can take the place of one whose responses are there already. */
async function sampledProblem(id: string, source: ProblemSource): Promise<TrainingProblem> {
  try {
    return await source.problemOf(id);
  } catch (error) {
    if (!(error instanceof UnusableProblemError)) throw error;
    throw new UnusableProblemError(
      `${error.message}. The step under way has sampled responses to it: restore it first`,
    );
  }
}
