import { expect, it } from "vitest";
import { stageAt, unreachedStages } from "./thinkingSuppression";

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

it("a run too short for its stages says which one it never reaches", () => {
  const stage = (steps: number) => ({ steps, maxNewTokens: 8, groupSize: 4, beta: 0 });
  const stages = [stage(2), stage(3), stage(4)];
  expect(unreachedStages([], 1)).toBeNull();
  expect(unreachedStages(stages, 6)).toBeNull();
  expect(unreachedStages(stages, 5)).toMatch(/^stage 3 of grpo\.stages begins after step 5, and the run has 5/);
  expect(unreachedStages(stages, 2)).toMatch(/^stage 2 /);
});
