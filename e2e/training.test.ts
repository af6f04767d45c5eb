/** Training by hand and by play: every phase shows what it made and nothing else; the same works from the keyboard. */
import { describe, expect, test } from "vitest";
import { type Playground, SMALL, visitors } from "./setup/playground";

const { visit } = visitors({ webgpu: true });
const GROUP = 4;

/** "accuracy" in "…; accuracy: from 0.19 to 0.25; …", the text of a curve. */
function newest(text: string, series: string): number {
  const found = new RegExp(`${series}: from [−\\d.]+\\s*%? to ([−\\d.]+)\\s*%?`).exec(text)?.[1];
  if (found === undefined) throw new Error(`The curve's text has no "${series}": ${text}`);
  return Number(found.replace("−", "-"));
}

async function curve(playground: Playground, title: string): Promise<string> {
  return (await playground.page.getByRole("img", { name: new RegExp(`^${title}`) }).getAttribute("aria-label")) ?? "";
}

async function grpo(): Promise<Playground> {
  const playground = await visit();
  await playground.ready();
  await playground.enter("GRPO");
  return playground;
}

describe("a step of reflection SFT", () => {
  test("collects the data with its right/wrong split, and learns from it", async () => {
    const playground = await visit();
    await playground.ready();
    await playground.enter("Reflection SFT");
    const { page } = playground;
    await playground.takeStep();
    const main = await page.getByRole("main").innerText();
    expect(main).toMatch(/8\s+of\s+8\s+examples/);
    expect(
      await page.getByRole("img", { name: /^\d+ right and \d+ wrong first answers, 8 needed$/ }).count(),
      "the right/wrong split",
    ).toBe(1);
    const records = page.getByRole("list", { name: "Newest examples" }).getByRole("listitem");
    expect(await records.count(), "examples shown").toBeGreaterThan(0);
    expect(await records.first().innerText()).toMatch(/correction|simplification/);
    expect(await curve(playground, "SFT loss"), "the curve of the loss").toContain("from ");
    await playground.takeStep();
    expect(await playground.step()).toBe(2);
  });
});

describe("the four phases of a GRPO step", () => {
  test("each sub-step is highlighted and shows only its own results", async () => {
    const playground = await grpo();
    const { rewards, advantages, probabilities, page } = playground;
    const subStep = async (name: Parameters<Playground["phase"]>[0]): Promise<void> => {
      await playground.button("Sub-step").click();
      await playground.until(
        `${name} to be done`,
        async () =>
          (await playground.phase(name).count()) > 0 && (await playground.phase(name).innerText()).includes("done"),
      );
    };
    const shown = async (): Promise<readonly number[]> => [
      await rewards.count(),
      await advantages.count(),
      await probabilities.count(),
    ];

    await subStep("Rollout");
    expect(await page.getByRole("button", { name: /show the full text/ }).count(), "responses").toBe(GROUP);
    expect(await shown(), "rewards, advantages, probabilities after rollout").toEqual([0, 0, 0]);
    expect(await playground.phase("Score").innerText()).toBe("Score");

    await subStep("Score");
    expect(await shown(), "rewards, advantages, probabilities after score").toEqual([GROUP, 0, 0]);

    await subStep("Normalise");
    expect(await shown(), "rewards, advantages, probabilities after normalise").toEqual([GROUP, GROUP, 0]);
    expect(await page.getByRole("main").innerText()).toMatch(/group mean\s+[−\d.]+\s+· std/);
    expect(await playground.step(), "finished steps before the update").toBe(0);

    await subStep("Update");
    await playground.reach(1);
    expect(await shown(), "rewards, advantages, probabilities after update").toEqual([GROUP, GROUP, GROUP]);
  });

  test("a number explains itself: the formula, then this row's numbers", async () => {
    const playground = await grpo();
    await playground.takeStep();
    await playground.advantages.first().focus();
    const why = playground.page.getByRole("tooltip");
    await why.waitFor({ state: "visible", timeout: 5000 });
    const text = await why.innerText();
    const label = (await playground.advantages.first().getAttribute("aria-label")) ?? "";
    const advantage = Math.abs(Number(/advantage −?([\d.]+)/.exec(label)?.[1]));
    const numbers = [...text.matchAll(/[\d.]*\d/g)].map(([found]) => Math.abs(Number(found) - advantage));
    expect(text).toContain("Advantage of response 1");
    expect(Math.min(...numbers), `the distance of "${label}" from the nearest number in "${text}"`).toBeLessThan(0.006);
    await playground.rewards.first().hover();
    await playground.until(
      "the explanation of the reward",
      async () => (await why.innerText()).includes("Total reward of response 1"),
      5000,
    );
  });

  test("a changed weight is used by the next step", async () => {
    const playground = await grpo();
    await playground.takeStep();
    const share = async (): Promise<number> => newest(await curve(playground, "Right answers"), "first") / 100;
    const term = async (): Promise<number> => newest(await curve(playground, "Reward by term"), "accuracy");
    expect(await term(), "accuracy term: weight × share of right first answers").toBeCloseTo(0.5 * (await share()), 1);

    const slider = playground.page.getByRole("slider", { name: /^First answer right/ });
    await slider.fill("1");
    await playground.takeStep();
    expect(await slider.inputValue()).toBe("1");
    expect(
      Math.abs((await term()) - (await share())),
      "distance of the accuracy term from the share of right answers",
    ).toBeLessThan(0.011);
  });
});

describe("play", () => {
  test("continues until paused, then stops", async () => {
    const playground = await visit({ settings: { ...SMALL, grpo: { prompts: 2, groupSize: 4, steps: 500 } } });
    await playground.ready();
    await playground.enter("GRPO");
    await playground.button("Play").click();
    await playground.reach(2);
    await playground.button("Pause").click();
    await playground.until("play to end", async () => !(await playground.playing()));
    const stopped = await playground.step();
    await playground.page.waitForTimeout(2000);
    expect(await playground.step(), "the step two seconds after pause").toBe(stopped);
    await playground.button("Play").click();
    await playground.reach(stopped + 1);
    await playground.button("Pause").click();
    await playground.until("play to end", async () => !(await playground.playing()));
  });

  test("goes from the base through reflection SFT to the planned end of GRPO", async () => {
    const playground = await visit({ settings: { ...SMALL, grpo: { prompts: 2, groupSize: 4, steps: 2 } } });
    await playground.ready();
    expect(await playground.stage()).toContain("Base");
    await playground.button("Play").click();
    await playground.until("GRPO", async () => (await playground.stage()).includes("GRPO"));
    await playground.until(
      "the planned end",
      async () => (await playground.step()) === 2 && !(await playground.playing()),
    );
    expect(await curve(playground, "Reward by term")).toContain("steps 1 to 2");
  });
});

describe("the keyboard", () => {
  test("Space plays and pauses, → steps, ⇧→ sub-steps, R resets, ? lists the keys", async () => {
    const playground = await grpo();
    const { page } = playground;
    await page.getByRole("heading", { level: 1 }).or(page.getByRole("main")).first().click();

    await page.keyboard.press("Shift+ArrowRight");
    await playground.until("the rollout", async () => (await playground.phase("Rollout").innerText()).includes("done"));
    expect(await playground.rewards.count(), "rewards after the rollout alone").toBe(0);
    await page.keyboard.press("ArrowRight");
    await playground.reach(1);

    await page.keyboard.press("Space");
    await playground.until("playing", () => playground.playing());
    await page.keyboard.press("Space");
    await playground.until("pausing", async () => !(await playground.playing()));

    await page.keyboard.press("r");
    await playground.until("the start of the run", async () => (await playground.step()) === 0);

    await page.keyboard.press("?");
    const help = page.getByRole("dialog", { name: "What am I looking at?" });
    await help.waitFor({ state: "visible", timeout: 5000 });
    for (const keys of ["Space", "→", "⇧ →", "R", "?"])
      expect(await help.getByText(keys, { exact: true }).count(), `the help lists ${keys}`).toBeGreaterThan(0);
    await page.keyboard.press("Escape");
    await help.waitFor({ state: "hidden", timeout: 5000 });
  });
});
