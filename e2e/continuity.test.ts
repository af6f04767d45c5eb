/** What a visitor must not lose: the run when the tab closes, training when the device goes, settings in a link. */
import { describe, expect, test } from "vitest";
import { type Playground, SMALL, visitors } from "./setup/playground";

const { visit, context } = visitors({ webgpu: true });

const LONG = { ...SMALL, grpo: { prompts: 2, groupSize: 4, steps: 500 } };
const rewardCurve = async ({ page }: Playground): Promise<string> =>
  (await page.getByRole("img", { name: /^Reward by term/ }).getAttribute("aria-label")) ?? "";
/** Each series' value at the first step. */
const firstValues = (text: string): string[] => [...text.matchAll(/[^;.]+: from \S+/g)].map(([found]) => found.trim());

describe("reopening the page", () => {
  test("resumes the run after a reload, with its curves and settings", async () => {
    const playground = await visit({ settings: LONG });
    await playground.ready();
    await playground.enter("GRPO");
    await playground.takeStep();
    await playground.takeStep();
    const before = firstValues(await rewardCurve(playground));
    await playground.page.reload();
    await playground.ready();
    await playground.until("the stored run", async () => (await playground.stage()).includes("GRPO"));
    const step = await playground.step();
    expect(step, "the step after a reload at step 2: the last one may not have been saved yet").toBeGreaterThanOrEqual(
      1,
    );
    expect(firstValues(await rewardCurve(playground)), "the curve after the reload").toEqual(before);
    expect(
      await playground.page.getByRole("slider", { name: /^Group size/ }).inputValue(),
      "the group size of the run",
    ).toBe("4");
    await playground.takeStep();
    expect(await rewardCurve(playground), "the curve continues").toContain(`steps 1 to ${step + 1}`);
  });

  test("loses at most the last step when the tab is closed while playing, also when its link is reopened", async () => {
    const kept = await context();
    const first = await visit({ settings: LONG, context: kept });
    await first.ready();
    await first.enter("GRPO");
    await first.button("Play").click();
    await first.reach(3);
    const closedAt = await first.step();
    await first.page.close();
    const second = await visit({ settings: LONG, context: kept });
    await second.ready();
    await second.until("the stored run", async () => (await second.stage()).includes("GRPO"));
    expect(await second.step(), `the step after closing the tab at step ${closedAt}`).toBeGreaterThanOrEqual(
      closedAt - 1,
    );
    await second.takeStep();
  });

  test("trains offline after one visit", async () => {
    const playground = await visit({ settings: LONG });
    await playground.ready();
    await playground.until("the service worker to control the page", () =>
      playground.page.evaluate(() => navigator.serviceWorker.controller !== null),
    );
    await playground.enter("GRPO");
    await playground.takeStep();
    await playground.page.context().setOffline(true);
    await playground.page.reload();
    await playground.ready();
    expect(await playground.stage(), "the stage of the stored run").toContain("GRPO");
    await playground.takeStep();
  });
});

describe("a lost device", () => {
  test("is reported and recovered, and training continues", async () => {
    const playground = await visit({ settings: LONG });
    await playground.ready();
    await playground.enter("GRPO");
    await playground.takeStep();
    const help = await playground.openHelp();
    await help.getByText("For developers").click();
    await help.getByRole("button", { name: "Lose the device" }).click();
    await playground.told(/device/i);
    await playground.ready();
    await playground.until(
      "the last snapshot",
      async () => (await playground.step()) === 1 && (await playground.stage()).includes("GRPO"),
    );
    await playground.takeStep();
    expect(await rewardCurve(playground), "the curve continues").toContain("steps 1 to 2");
    expect(await playground.badge.innerText()).toContain("WebGPU");
  });

  test("while playing: training continues automatically", async () => {
    const playground = await visit({ settings: LONG });
    await playground.ready();
    await playground.enter("GRPO");
    await playground.button("Play").click();
    await playground.reach(1);
    const help = await playground.openHelp();
    await help.getByText("For developers").click();
    await help.getByRole("button", { name: "Lose the device" }).click();
    await playground.told(/device/i);
    const at = await playground.step();
    await playground.reach(at + 2);
    expect(await playground.playing(), "still playing").toBe(true);
    await playground.button("Pause").click();
    await playground.until("play to end", async () => !(await playground.playing()));
  });
});

describe("the share link", () => {
  test("passes the changed settings to another visitor", async () => {
    const sender = await visit();
    await sender.ready();
    await sender.page.getByRole("slider", { name: /^First answer right/ }).fill("0.8");
    await sender.page.getByRole("slider", { name: "spoilt", exact: true }).fill("-0.6");
    await sender.button("Copy a link to these settings").click();
    await sender.told(/link/i);
    const address = sender.page.url();
    expect(decodeURIComponent(address)).toContain('"accuracyWeight":0.8');

    const receiver = await visit({ settings: null });
    // Another address with the same path would only be a jump within the page.
    await receiver.page.goto("about:blank");
    await receiver.page.goto(address);
    await receiver.ready();
    expect(await receiver.page.getByRole("slider", { name: /^First answer right/ }).inputValue()).toBe("0.8");
    expect(await receiver.page.getByRole("slider", { name: "spoilt", exact: true }).inputValue()).toBe("-0.6");
    expect(await receiver.page.getByRole("slider", { name: /^Group size/ }).inputValue()).toBe("4");
    await receiver.enter("GRPO");
    await receiver.takeStep();
  });

  test("starts a new run for a visitor who has another run stored", async () => {
    const kept = await context();
    const own = await visit({ settings: SMALL, context: kept });
    await own.ready();
    await own.enter("GRPO");
    await own.takeStep();
    await own.page.close();
    const shared = await visit({ settings: { ...SMALL, temperature: 0.7 }, context: kept });
    await shared.ready();
    expect(
      await shared.page.getByRole("slider", { name: /^Temperature/ }).inputValue(),
      "the temperature of the link",
    ).toBe("0.7");
    await shared.page.reload();
    await shared.ready();
    expect(
      await shared.page.getByRole("slider", { name: /^Temperature/ }).inputValue(),
      "the temperature after a reload",
    ).toBe("0.7");
  });

  test("that is invalid is reported, and the defaults are used", async () => {
    const playground = await visit({ settings: { grpo: { groupSize: "many" } } });
    const said = await playground.told(/link/i);
    expect(said).toContain("Some of the link's settings are not used");
    expect(said).toMatch(/groupSize/);
    await playground.ready();
    expect(await playground.page.getByRole("slider", { name: /^Group size/ }).inputValue()).toBe("8");
  });
});
