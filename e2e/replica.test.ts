/**
 * A browser without WebGPU on a machine of many processors: a second worker computes half of each step. The test's
 * machine may have two processors, so the page's scripts are told that there are four.
 */
import { expect, test } from "vitest";
import { type Playground, SMALL, type VisitOptions, visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: false });

/** Two micro-batches of 32 rows, so that both workers have something to do. */
const settings = { ...SMALL, grpo: { prompts: 8, groupSize: 8, steps: 4 } };

function withProcessors(count: number): NonNullable<VisitOptions["before"]> {
  return (page) =>
    page.context().route("**/assets/*.js", async (route) => {
      const response = await route.fetch();
      await route.fulfill({
        response,
        body: (await response.text()).replaceAll("navigator.hardwareConcurrency", String(count)),
      });
    });
}

async function twoSteps(
  processors: number,
): Promise<{ readonly playground: Playground; readonly replicas: number; readonly group: string }> {
  let replicas = 0;
  const playground = await visit({
    settings,
    from: "sft",
    before: async (page) => {
      page.context().on("request", (request) => {
        if (request.url().includes("replicaEntry")) replicas++;
      });
      await withProcessors(processors)(page);
    },
  });
  await playground.ready();
  await playground.takeStep();
  await playground.takeStep();
  return { playground, replicas, group: await playground.table.innerText() };
}

test("a second worker is started, and the steps are the same as with one", async () => {
  const two = await twoSteps(4);
  const one = await twoSteps(1);
  expect(two.replicas, "replica scripts requested with four processors").toBeGreaterThan(0);
  expect(one.replicas, "replica scripts requested with one processor").toBe(0);
  expect(two.group).toMatch(/→/);
  expect(two.group, "the group of the second step, with all its numbers").toBe(one.group);
});
