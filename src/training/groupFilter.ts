/** Marks the groups that the online filter leaves out of the step; the rule is src/srpo/onlineFilter.ts. */
import { type GroupFilter, keepsGroup } from "../srpo/onlineFilter";
import { type GroupRecord, scoreOf } from "./records";

export function filteredGroups(groups: readonly GroupRecord[], filter: GroupFilter): GroupRecord[] {
  return groups.map((group) => {
    const scores = group.samples.map(scoreOf).filter((score) => score !== null);
    const kept = keepsGroup(
      // After a given first solution, what can differ is the refined answer.
      scores.map((score) => (group.prefix === undefined ? score.firstRight : score.refinedRight)),
      filter,
    );
    return kept ? group : { ...group, filtered: true };
  });
}

/** Why a step is refused whose every group was filtered out, in spite of refills. */
export function noGroupLeft(groups: readonly GroupRecord[], refills: number, filter: GroupFilter): string {
  const named = filter === "mixed" ? "mixed groups only" : `accuracy ${filter?.join("–") ?? "any"}`;
  const samples = groups.flatMap((group) => group.samples);
  const failed = samples.filter((sample) => scoreOf(sample) === null);
  const [first] = failed.flatMap(({ score }) => (score !== undefined && "error" in score ? [score.error] : []));
  return (
    `the step was refused: none of ${groups.length} groups passed the filter (${named}) in 1 + ${refills} draws. ` +
    (first === undefined
      ? "The problems are too easy or too hard for this policy: widen grpo.onlineFilter, raise grpo.groupSize, or " +
        "take other problems. "
      : `${failed.length} of ${samples.length} responses have no score, and a group without scores never passes. ` +
        `The first: ${first}. `) +
    "The weights are those before it."
  );
}
