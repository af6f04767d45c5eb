import { expect, it } from "vitest";
import { stageAt } from "./thinkingSuppression";

const stages = [
  { steps: 2, maxNewTokens: 56, groupSize: 16, beta: 0.01 },
  { steps: 3, maxNewTokens: 104, groupSize: 8, beta: 0.02 },
];

it.each([
  [0, 0],
  [1, 0],
  [2, 1],
  [4, 1],
  [100, 1],
])("step %d is of stage %d", (step, index) => expect(stageAt(stages, step)).toEqual({ index, stage: stages[index] }));

it("without stages there is none", () => expect(stageAt([], 3)).toBeNull());
