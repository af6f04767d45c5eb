/** Marks the groups that the online filter leaves out of the step; the rule is src/srpo/onlineFilter.ts. */
import { type GroupFilter, keepsGroup } from "../srpo/onlineFilter";
import { type GroupRecord, scoreOf } from "./records";

export function filteredGroups(groups: readonly GroupRecord[], filter: GroupFilter): GroupRecord[] {
  return groups.map((group) => {
    const scores = group.samples.map(scoreOf).filter((score) => score !== null);
    const kept = keepsGroup(
      scores.map((score) => score.firstRight),
      filter,
    );
    return kept ? group : { ...group, filtered: true };
  });
}
